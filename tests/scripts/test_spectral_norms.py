"""The script that measures effective weights: what training leaves of the bound."""

import sys
from statistics import mean

import pytest
import spectral_norms
import torch
from helpers.cli import ganexp

from ganexp.build import build_gan, load_run
from ganexp.config import trust
from ganexp.models.resnet import Discriminator

SMALL = (
    "experiment=sagan/cifar10_2", "data=fake", "data.source.size=64", "schedule.batch_size=8", "metrics=none",
    "schedule.steps=60", "schedule.evaluate_every=60", "model.generator.widths=[8,8,8]", "trainer=cpu",
    "model.discriminator.widths=[8,8,8]", "data.resolution=16", "model.generator.attention=8",
    "model.discriminator.attention=4", "hydra.run.dir=run",
)  # fmt: skip


@pytest.mark.parametrize(("words", "bounded"), [((), True), (("as_published=sagan",), False)])
def test_training_keeps_the_bound_or_breaks_it(tmp_path, words, bounded, monkeypatch, capsys):
    ganexp(*SMALL, *words, cwd=tmp_path)
    _, gan, _, _ = load_run(str(tmp_path / "run/checkpoints/last.ckpt"), "cpu")
    norms = [*spectral_norms.spectral_norms(gan.generator).values()]
    norms += spectral_norms.spectral_norms(gan.discriminator).values()
    assert len(norms) > 20
    assert (max(norms) <= 1.05) == bounded
    if not bounded:  # and training has raised it
        torch.manual_seed(0)
        untrained = build_gan(trust.load(tmp_path / "run/config.yaml"))
        before, after = (spectral_norms.spectral_norms(g.discriminator).values() for g in (untrained, gan))
        assert mean(after) > 1.01 * mean(before)
    monkeypatch.setattr(sys, "argv", ["spectral_norms.py", str(tmp_path / "run")])
    spectral_norms.main()
    assert "discriminator" in capsys.readouterr().out


def test_it_reads_without_changing():
    network = Discriminator(16, 1, [8, 8], 2)
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    spectral_norms.spectral_norms(network)
    assert all(torch.equal(buffer, before[name]) for name, buffer in network.named_buffers())
