"""Pictures of conditional models have the names of the classes beside the rows of images."""

from types import SimpleNamespace

import PIL.Image
import PIL.ImageChops
import pytest
import torch
from helpers.cli import ganexp
from helpers.config import TINY, config
from torchvision.io import read_image

from ganexp.build import build_callbacks, build_gan
from ganexp.data.images import ImageSet
from ganexp.plots import grids
from ganexp.runs.run_directory import RunDirectory
from ganexp.sampling import EVALUATION_SEED, interpolation_grid, interpolation_heads, sample_grid

NAMES = [f"class {letter}" for letter in "abcdefghij"]


def draw(tmp_path, gan, classes):
    """Let the callbacks draw their pictures at an evaluation and at the end of the training."""
    labels = torch.arange(10).repeat_interleave(3)
    pixels = labels[:, None, None, None].expand(-1, 1, 8, 8).to(torch.uint8)
    cfg = config(*TINY, "callbacks=[sample_grids,interpolations]")
    images = {"train": ImageSet(pixels, labels, classes)} if classes else {}
    grid, interpolations = build_callbacks(cfg, RunDirectory(tmp_path), images)
    trainer = SimpleNamespace(loggers=[])
    grid.on_validation_end(trainer, gan)
    grid.on_fit_end(trainer, gan)
    interpolations.on_fit_end(trainer, gan)


@pytest.mark.parametrize(("conditional", "classes"), [(True, NAMES), (True, []), (False, NAMES)])
def test_rows_of_conditional_models_are_named(tmp_path, conditional, classes):
    gan = build_gan(config(*TINY, f"model.conditional={conditional}"))
    expected = classes if conditional else []
    draw(tmp_path, gan, classes)
    saved = read_image(str(tmp_path / "samples" / "step-0000000.png"))
    assert torch.equal(saved, grids.image_grid(sample_grid(gan, EVALUATION_SEED, 10, 10), 10, expected))
    saved = read_image(str(tmp_path / "samples" / "interpolation-linear.png"))
    images, heads = interpolation_grid(gan, EVALUATION_SEED, False), interpolation_heads(5)
    assert torch.equal(saved, grids.image_grid(images, 5, expected, heads))


def test_rows_of_real_images_have_the_classes_of_the_samples(tmp_path):
    draw(tmp_path, build_gan(config(*TINY, "model.conditional=true")), NAMES)
    real = read_image(str(tmp_path / "samples" / "real.png"))[0, :, -502:]  # without the names of the rows
    for label in range(10):
        shown = real[50 * label + 25, 25::50].tolist()  # the pixel in the middle of each image
        assert shown == [label] * 3 + [0] * 7  # the class has three images


def test_run_with_one_evaluation_has_no_animation(tmp_path):
    draw(tmp_path, build_gan(config(*TINY)), NAMES)
    assert (tmp_path / "samples" / "real-and-generated.png").exists()
    assert not (tmp_path / "samples" / "training.gif").exists()


@pytest.mark.slow
def test_animation_of_a_resumed_run_has_all_its_evaluations(tmp_path):
    callbacks = ("callbacks=sample_grids", "metrics.grid_rows=2", "metrics.grid_columns=2")
    ganexp(*TINY[:-1], *callbacks, "hydra.run.dir=run", cwd=tmp_path)
    samples = tmp_path / "run" / "samples"
    with PIL.Image.open(samples / "training.gif") as before:
        assert before.n_frames == 3
    ganexp("resume", "run", "schedule.steps=8", cwd=tmp_path)
    files = sorted(samples.glob("step-*.png"))
    assert [file.stem for file in files] == [f"step-{step:07d}" for step in (0, 2, 4, 6, 8)]
    with PIL.Image.open(samples / "training.gif") as after:
        assert after.n_frames == 5
        for frame, file in enumerate(files):
            after.seek(frame)
            with PIL.Image.open(file) as picture:
                difference = PIL.ImageChops.difference(after.convert("L"), picture.convert("L"))
            assert difference.getextrema()[1] < 16  # a GIF has only 256 colours
