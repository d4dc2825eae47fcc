"""Measuring how long the scores of an evaluation take: every score of ganexp, and scores that need the images."""

import pytest
import torch
from helpers.config import config
from helpers.scores import EVERY_SCORE

from ganexp.build import build_gan, build_image_set
from ganexp.commands.estimation.scores import time_scores
from ganexp.errors import UserError
from ganexp.metrics.score import Score

pytestmark = pytest.mark.slow

BASE = ("metrics.samples=200", "metrics.extractor.updates=3", "trainer=cpu")
seen = []


class MeanPixel(Score):
    """The mean of all pixels, which lie in [-1, 1]. `update` appends its arguments to `seen`."""

    def update(self, images, indices, labels):
        seen.append((images, indices, labels))

    def compute(self):
        return {"mean_pixel": torch.cat([images for images, _, _ in seen]).mean()}

    def value_names(self):
        return ["mean_pixel"]


class Extremes(Score):
    """The largest pixel value. `update` takes only the images."""

    def __init__(self, context):
        super().__init__(context)
        self.add_state("largest", torch.tensor(-1.0), dist_reduce_fx="max")

    def update(self, images):
        self.largest = torch.maximum(self.largest, images.max())

    def compute(self):
        return {"largest": self.largest}

    def value_names(self):
        return ["largest"]


def timed(tmp_path, *overrides):
    cfg = config(*BASE, f"metrics.cache={tmp_path / 'cache'}", *overrides)
    image_set = build_image_set(cfg)
    return time_scores(cfg, build_gan(cfg), image_set, True, len(image_set), tmp_path)


def test_score_that_names_images_gets_images(tmp_path):
    seen.clear()
    names = ("MeanPixel", "Extremes")
    extra = [f"+metrics.scores.{name.lower()}._target_={__name__}.{name}" for name in names]
    result = timed(tmp_path, "model.conditional=true", *extra)
    assert result.seconds > 0
    images = torch.cat([images for images, _, _ in seen])
    assert images.shape == (200, 1, 8, 8)
    assert images.min() == -1 and images.max() == 1  # noqa: PT018 (a range)
    assert torch.cat([indices for _, indices, _ in seen]).tolist() == list(range(200))
    assert torch.cat([labels for _, _, labels in seen]).tolist() == [index % 10 for index in range(200)]


@pytest.mark.parametrize("conditional", [True, False])
def test_every_score_of_the_package_is_timed_or_named(tmp_path, conditional):
    names = sorted(EVERY_SCORE) if conditional else sorted(set(EVERY_SCORE) - {"intra_fid"})
    result = timed(tmp_path, f"model.conditional={conditional}", f"metrics/score=[{','.join(names)}]")
    assert result.seconds > 0
    (note,) = result.notes
    assert "fid_infinity" in note
    assert ("intra_fid" in note) == conditional


def test_estimate_refuses_what_training_would_refuse(tmp_path):
    with pytest.raises(UserError, match="fid_infinity needs 30 generated images or more"):
        timed(tmp_path, "metrics.samples=29", "metrics/score=[fid_infinity]")
