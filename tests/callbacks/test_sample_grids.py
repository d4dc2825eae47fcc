"""Pictures of conditional models have the names of the classes beside their rows."""

from types import SimpleNamespace

import pytest
import torch
from helpers.config import TINY, config
from torchvision.io import read_image

from ganexp.build import build_callbacks, build_gan
from ganexp.data.images import ImageSet
from ganexp.plots import grids
from ganexp.runs.run_directory import RunDirectory
from ganexp.sampling import EVALUATION_SEED, interpolation_grid, sample_grid

NAMES = [f"class {letter}" for letter in "abcdefghij"]


def pictures(tmp_path, monkeypatch, gan, classes):
    """Return the names of rows that the callbacks ask for, by the file that they save."""
    asked = []
    image_grid = grids.image_grid
    monkeypatch.setattr(grids, "image_grid", lambda *args: asked.append(args[2]) or image_grid(*args))
    images = ImageSet(torch.zeros(1, 1, 8, 8, dtype=torch.uint8), torch.zeros(1, dtype=torch.long), classes)
    cfg = config(*TINY, "callbacks=[sample_grids,interpolations]")
    grid, interpolations = build_callbacks(cfg, RunDirectory(tmp_path), {"train": images} if classes else {})
    trainer = SimpleNamespace(loggers=[])
    grid.on_validation_end(trainer, gan)
    interpolations.on_fit_end(trainer, gan)
    return asked


@pytest.mark.parametrize(("conditional", "classes"), [(True, NAMES), (True, []), (False, NAMES)])
def test_rows_of_conditional_models_are_named(tmp_path, monkeypatch, conditional, classes):
    gan = build_gan(config(*TINY, f"model.conditional={conditional}"))
    expected = classes if conditional else []
    assert pictures(tmp_path, monkeypatch, gan, classes) == [expected] * 3
    saved = read_image(str(tmp_path / "samples" / "step-0000000.png"))
    assert torch.equal(saved, grids.image_grid(sample_grid(gan, EVALUATION_SEED, 10, 10), 10, expected))
    saved = read_image(str(tmp_path / "samples" / "interpolation-linear.png"))
    assert torch.equal(saved, grids.image_grid(interpolation_grid(gan, EVALUATION_SEED, False), 5, expected))
