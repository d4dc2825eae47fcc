"""The picture of samples beside their nearest real images."""

from types import SimpleNamespace

import pytest
import torch
from helpers.scores import Pixels, make_reference

from ganexp.commands.evaluation import pictures
from ganexp.data.images import ImageSet
from ganexp.pixels import from_uint8

REAL = {
    split: torch.randint(0, 256, (count, 1, 2, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(count))
    for split, count in {"train": 20, "test": 30}.items()
}


@pytest.mark.parametrize(
    ("references", "shown", "kind"),
    [
        (["train"], "train", "training images"),
        (["test"], "test", "images of the test split"),
        (["test", "train"], "train", "training images"),
    ],
)
def test_nearest_images_come_from_the_searched_split(references, shown, kind, monkeypatch, tmp_path, capsys):
    """If a sample equals a real image, this real image is the nearest image of the sample, at distance 0."""
    drawn = []
    real = REAL[shown][-3:]
    monkeypatch.setattr(pictures, "sample_images", lambda *_: iter([from_uint8(real)]))
    monkeypatch.setattr(pictures, "nearest_picture", lambda *parts: drawn.append(parts) or torch.zeros(3, 8, 8))
    features = {split: make_reference(REAL[split].flatten(1).float()) for split in references}
    scores = SimpleNamespace(references=features, extractor=Pixels())
    image_sets = {split: ImageSet(images, None, []) for split, images in REAL.items()}
    pictures.save_nearest(None, scores, image_sets, 0, tmp_path / "nearest.png", "")
    ((_samples, neighbours, distances),) = drawn
    assert torch.equal(neighbours[:, 0], real)
    assert torch.equal(distances[:, 0], torch.zeros(3))
    assert f"its nearest {kind} ({len(REAL[shown])} were searched)" in capsys.readouterr().out
