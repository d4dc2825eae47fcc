"""The script that measures the spectral norms of the weights of a trained run."""

import sys
from statistics import mean

import pytest
import spectral_norms
import torch
from helpers.cli import ganexp

from ganexp.build import build_gan
from ganexp.config import trust
from ganexp.loaded_run import load_run
from ganexp.models.resnet import Discriminator

SMALL = (
    "experiment=sagan/cifar10_2",
    "data=fake",
    "data.source.size=64",
    "data.resolution=16",
    "schedule.batch_size=4",
    "schedule.steps=40",
    "schedule.evaluate_every=40",
    "metrics=none",
    "callbacks=progress",
    "trainer=cpu",
    "model.generator.widths=[8,8,8]",
    "model.generator.attention=8",
    "model.discriminator.widths=[8,8,8]",
    "model.discriminator.attention=4",
    "hydra.run.dir=run",
)


@pytest.mark.slow
@pytest.mark.parametrize(("overrides", "bounded"), [((), True), (("as_published=sagan",), False)])
def test_training_keeps_the_bound_unless_published(tmp_path, overrides, bounded, monkeypatch, capsys):
    ganexp(*SMALL, *overrides, cwd=tmp_path)
    gan = load_run(str(tmp_path / "run/checkpoints/last.ckpt"), "cpu").gan
    norms = [*spectral_norms.spectral_norms(gan.generator).values()]
    norms += spectral_norms.spectral_norms(gan.discriminator).values()
    assert len(norms) > 20
    assert (max(norms) <= 1.05) == bounded
    if not bounded:  # training has increased the norms
        torch.manual_seed(0)
        untrained = build_gan(trust.load(tmp_path / "run/config.yaml"))
        before, after = (spectral_norms.spectral_norms(g.discriminator).values() for g in (untrained, gan))
        assert mean(after) > 1.01 * mean(before)
    monkeypatch.setattr(sys, "argv", ["spectral_norms.py", str(tmp_path / "run")])
    spectral_norms.main()
    output = capsys.readouterr().out
    assert "step 40" in output
    assert "discriminator: " in output


def test_spectral_norms_change_no_buffer():
    network = Discriminator(16, 1, [8, 8], 2)
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    spectral_norms.spectral_norms(network)
    assert all(torch.equal(buffer, before[name]) for name, buffer in network.named_buffers())
