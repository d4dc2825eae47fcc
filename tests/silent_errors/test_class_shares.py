"""Samples of a conditional model have the same shares of classes as the images that they are compared with.

In these tests, the generator's images of a class have the same distribution as the dataset's images of this class. If
the samples have the same shares of classes as the dataset, the FID is near 0, whatever the sizes of the classes. With
equally many samples of each class, the FID is not near 0.
"""

import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from helpers.cli import ganexp
from PIL import Image

from ganexp import build

pytestmark = pytest.mark.slow

MODULE = """
import torch
from torch import nn

TINTS = torch.tensor([[0.8, -0.6, -0.6], [-0.6, 0.7, -0.5], [-0.5, -0.4, 0.9]])


class Generator(nn.Module):
    def __init__(self, resolution):
        super().__init__()
        self.resolution, self.unused = resolution, nn.Parameter(torch.zeros(1))

    def forward(self, z, labels):
        colour = TINTS.to(z)[labels] + 0.1 * z[:, :1]
        return colour[:, :, None, None].expand(-1, -1, self.resolution, self.resolution) + 0 * self.unused


class Discriminator(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(inputs, 1))

    def forward(self, x, labels):
        return self.net(x)[:, 0]
"""
MODEL = """
conditional: true
latent: {_target_: ganexp.models.latent.Latent, dim: 8, distribution: normal}
generator: {_target_: perfect_generator.Generator, resolution: 8}
discriminator: {_target_: perfect_generator.Discriminator, inputs: 192}
"""
TINTS = np.array([[0.8, -0.6, -0.6], [-0.6, 0.7, -0.5], [-0.5, -0.4, 0.9]])
TRAIN = (
    "--config-dir=conf",
    "model=perfect",
    "loss=hinge",
    "data=folder",
    "data.resolution=8",
    "trainer=cpu",
    "schedule.steps=1",
    "schedule.evaluate_every=1",
    "schedule.batch_size=8",
    "metrics=classifier",
    "metrics.extractor.updates=40",
    "callbacks=none",
    "logger=none",
    "hydra.run.dir=run",
)


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """Return a directory with the code of the networks and their config."""
    (tmp_path / "perfect_generator.py").write_text(MODULE)
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "perfect.yaml").write_text(MODEL)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("GANEXP_TRUST", "perfect_generator")
    build._read_source.cache_clear()
    yield tmp_path
    sys.modules.pop("perfect_generator", None)


def png(label: int, level: float) -> bytes:
    """Return a PNG of class `label`, as the generator draws it from a latent that starts with `level`."""
    colour = np.clip((TINTS[label] + 0.1 * level) * 127.5 + 128, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(np.broadcast_to(colour, (8, 8, 3)).copy()).save(file, "png")
    return file.getvalue()


def write(path: Path, counts: dict[str, int]) -> None:
    """Write a zip with the given number of images of each class; the name train/a means class a of the train split."""
    rng, labels = np.random.default_rng(3), sorted({name.split("/")[-1] for name in counts})
    with zipfile.ZipFile(path, "w") as archive:
        for name, count in counts.items():
            for index in range(count):
                archive.writestr(f"{name}/{index}.png", png(labels.index(name.split("/")[-1]), rng.normal()))


def scores_of(run: Path) -> dict[str, float]:
    return json.loads((run / "run.json").read_text())["scores"]["last"]


def protocol_of(run: Path) -> dict:
    return json.loads((run / "run.json").read_text())["protocol"]


def test_fid_of_a_perfect_generator_is_zero_on_uneven_classes(project):
    """With 180 and 20 images in two classes, the FID is near 0, but not if both classes have equally many samples."""
    write(project / "two.zip", {"a": 180, "b": 20})
    done = ganexp(*TRAIN, "data.path=two.zip", "metrics.samples=200", cwd=project)
    assert "classes of the scored samples, in the same proportions as in the train split: a 180, b 20" in done.stdout
    assert scores_of(project / "run")["fid_classifier"] < 0.1
    assert protocol_of(project / "run")["class_samples"] == {"a": 180, "b": 20}
    evaluate = ("evaluate", "ckpt=run", "accelerator=cpu", "metrics/score=[fid,accuracy]")
    ganexp(*evaluate, "output=reference", cwd=project)
    ganexp(*evaluate, "labels=uniform", "output=uniform", cwd=project)
    reference, uniform = (json.loads((project / name / "scores.json").read_text()) for name in ("reference", "uniform"))
    assert reference["scores"]["fid_classifier"] < 0.1 < 1 < uniform["scores"]["fid_classifier"]
    assert (reference["protocol"]["labels"], uniform["protocol"]["labels"]) == ("reference", "uniform")
    assert reference["protocol"]["id"] == protocol_of(project / "run")["id"] != uniform["protocol"]["id"]
    shares = {"classes": ["a", "b"], "expected_share": [0.9, 0.1], "share": [0.9, 0.1], "accuracy": [1, 1]}
    assert reference["by_class"] == shares


def test_shares_are_those_of_the_first_reference(project):
    """The classes of samples have the shares of the test split (70, 20 and 10 %), not those of the train split."""
    train = {f"train/{name}": 100 for name in "abc"}
    write(project / "three.zip", train | {"test/a": 140, "test/b": 40, "test/c": 20})
    scores = ("metrics/score=[fid,intra_fid]", "metrics.references=[test,train]", "metrics.samples=400")
    done = ganexp(*TRAIN, "data.path=three.zip", *scores, cwd=project)
    assert "in the same proportions as in the test split: a 280, b 80, c 40" in done.stdout
    values = scores_of(project / "run")
    assert values["fid_classifier"] < 0.1 < values["fid_classifier_train"]
    assert values["intra_fid_classifier"] < 0.1


def test_class_without_reference_images_gets_no_samples(project):
    """The test split lacks class b: no sample has this class, the output says this, and no score gets worse."""
    write(project / "lack.zip", {"train/a": 60, "train/b": 60, "train/c": 30, "test/a": 20, "test/c": 60})
    overrides = ("data.path=lack.zip", "metrics.references=[test]", "metrics.samples=200")
    done = ganexp(*TRAIN, *overrides, "metrics/score=[fid,intra_fid,accuracy]", cwd=project)
    assert "c 150, a 50; none of b" in done.stdout
    assert protocol_of(project / "run")["class_samples"] == {"a": 50, "b": 0, "c": 150}
    values = scores_of(project / "run")
    assert values["fid_classifier"] < 0.1
    assert values["intra_fid_classifier"] < 0.1
    assert values["accuracy_classifier"] == 1
    refused = ganexp(
        *TRAIN, *overrides, "metrics/score=[intra_fid]", "metrics.labels=uniform", cwd=project, check=False
    )
    assert "class b has 0 in the test split" in refused.stderr


def test_first_reference_without_classes_is_refused(project):
    write(project / "plain.zip", {"train/a": 30, "train/b": 20})
    with zipfile.ZipFile(project / "plain.zip", "a") as archive:
        for index in range(20):
            archive.writestr(f"test/{index}.png", png(0, index / 20))
    overrides = (*TRAIN, "data.path=plain.zip", "metrics.samples=40", "metrics/score=[fid]")
    refused = ganexp(*overrides, "metrics.references=[test]", cwd=project, check=False)
    assert "the first of metrics.references, has no classes" in refused.stderr
    assert "metrics.labels=uniform" in refused.stderr
    assert not (project / "run").exists()
    ganexp(*overrides, "metrics.references=[test]", "metrics.labels=uniform", "metrics.best_by=fid", cwd=project)
    assert protocol_of(project / "run")["labels"] == "uniform"
