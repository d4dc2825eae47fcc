"""The order of the files of a dataset or of scored images, such as class by class, does not change the scores."""

import json

import numpy as np
import pytest
from helpers.cli import ganexp
from PIL import Image

from ganexp import build

pytestmark = pytest.mark.slow

SETTINGS = (
    "data.resolution=8",
    "trainer=cpu",
    "metrics=classifier",
    "metrics.extractor.updates=60",
    "metrics/score=[fid,swd]",
    "metrics.fid_at=[100]",
    "metrics.scores.swd.images=100",
    "output=out",
)


def write(directory):
    """Write 200 dark noisy images of class a, and 200 bright ones of class b."""
    random = np.random.default_rng(0)
    for name, darkest in (("a", 0), ("b", 180)):
        (directory / name).mkdir(parents=True)
        for index in range(200):
            pixels = random.integers(darkest, darkest + 70, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(directory / name / f"{index:03d}.png")


@pytest.mark.parametrize("given", ["images=set", "real=train"])
def test_scores_of_a_part_of_sorted_images_see_all_classes(tmp_path, given):
    build._read_source.cache_clear()
    write(tmp_path / "set")
    ganexp("evaluate", given, *SETTINGS, "data=folder", "data.path=set", cwd=tmp_path)
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())["scores"]
    assert scores["fid_classifier"] < 0.01
    assert scores["fid_classifier_100"] < 3  # the first 100 images, all of class a, have an FID above 40
    assert scores["swd_classifier"] < 300  # the first 100 images have a distance above 500
