"""The picture of samples beside their nearest real images."""

from types import SimpleNamespace

import pytest
import torch
from helpers.scores import Pixels, make_reference

from ganexp.commands.evaluation import pictures
from ganexp.pixels import from_uint8

SPLITS = {"train": 20, "test": 30, "train+test": 50, "all": 40, "unlabeled": 25}
REAL = {
    split: torch.randint(0, 256, (count, 1, 2, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(count))
    for split, count in SPLITS.items()
}


def scores_of(references, extractor=None):
    features = {split: make_reference(REAL[split].flatten(1).float()) for split in references}
    real_images = lambda split, chosen: REAL[split][chosen]  # noqa: E731
    return SimpleNamespace(references=features, extractor=extractor or Pixels(), real_images=real_images, by_class={})


def trained_on(split, part=None):
    return SimpleNamespace(split=split, training_images=part)


@pytest.mark.parametrize(
    ("data", "references", "shown", "kind"),
    [
        (trained_on("train"), ["train"], "train", "training images"),
        (trained_on("train"), ["test"], "test", "images of the test split"),
        (trained_on("train"), ["test", "train"], "train", "training images"),
        (trained_on("train"), ["unlabeled", "test"], "unlabeled", "images of the unlabeled split"),
        (trained_on("train+test"), ["train+test"], "train+test", "training images"),
        (trained_on("all"), ["test", "all"], "all", "training images"),
        (trained_on("test"), ["test"], "test", "training images"),
        (trained_on("unlabeled"), ["train", "test"], "train", "images of the train split"),
        (trained_on("train", part=5), ["train"], "train", "images of the train split"),
    ],
)
def test_nearest_images_come_from_the_searched_split(data, references, shown, kind, monkeypatch, tmp_path, capsys):
    """If a sample equals a real image, this real image is the nearest image of the sample, at distance 0."""
    drawn = []
    real = REAL[shown][-3:]
    monkeypatch.setattr(pictures, "sample_images", lambda *_: iter([from_uint8(real)]))
    monkeypatch.setattr(pictures, "nearest_picture", lambda *parts: drawn.append(parts) or torch.zeros(3, 8, 8))
    pictures.save_nearest(None, scores_of(references), data, 0, tmp_path / "nearest.png", "")
    ((_samples, neighbours, distances),) = drawn
    assert torch.equal(neighbours[:, 0], real)
    assert torch.equal(distances[:, 0], torch.zeros(3))
    assert f"its nearest {kind} ({len(REAL[shown])} were searched)" in capsys.readouterr().out


class Broken(Pixels):
    def extract(self, images):
        features, logits = super().extract(images)
        return features.fill_(float("nan")), logits


@pytest.mark.parametrize(
    ("extractor", "logit", "shown"),
    [
        (Pixels(), 1.0, "logits and features"),
        (Broken(), 1.0, "logits"),
        (Pixels(), float("nan"), "features"),
        (Broken(), float("inf"), ""),
    ],
)
def test_diagnostics_show_what_is_finite(extractor, logit, shown, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(pictures, "sample_images", lambda *_: iter([from_uint8(REAL["train"])]))
    monkeypatch.setattr(pictures, "run_title", lambda _: "run")
    loaded = SimpleNamespace(gan=SimpleNamespace(step=3), run=None, cfg=SimpleNamespace(data=trained_on("train")))
    logits = {"train": torch.full((9,), logit), "fake": torch.full((9,), logit)}
    pictures.save_pictures(loaded, scores_of(["train"], extractor), [], logits, 0, tmp_path)
    assert (tmp_path / "nearest.png").exists()
    assert (tmp_path / "diagnostics.png").exists() == bool(shown)
    expected = f"diagnostics.png: {shown} of real" if shown else "diagnostics.png is left out"
    assert expected in capsys.readouterr().out
