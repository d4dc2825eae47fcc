"""`ganexp sample`: the same images in every format."""

from zipfile import ZipFile

import numpy as np
import pytest
from helpers.cli import ganexp
from helpers.config import TINY
from PIL import Image

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    cwd = tmp_path_factory.mktemp("run")
    ganexp(*TINY, "model.conditional=true", "hydra.run.dir=run", cwd=cwd)
    return cwd / "run"


def test_formats_hold_the_same_images(run, tmp_path):
    overrides = ("sample", f"ckpt={run}", "n=120", "seed=5")
    ganexp(*overrides, "output=png", cwd=tmp_path)
    ganexp(*overrides, "format=zip", "output=zip", cwd=tmp_path)
    ganexp(*overrides, "format=npz", "output=npz", cwd=tmp_path)
    files = sorted((tmp_path / "png" / "images").rglob("*.png"), key=lambda file: file.name)
    names = [f"{file.parent.name}/{file.name}" for file in files]
    assert names == [f"{index % 10}/{index:03}.png" for index in range(120)]
    pngs = np.stack([np.asarray(Image.open(file)) for file in files])
    with np.load(tmp_path / "npz" / "images.npz") as saved:
        assert saved["arr_0"].shape == (120, 8, 8, 1)
        assert np.array_equal(saved["arr_0"][..., 0], pngs)
        assert saved["arr_1"].tolist() == [i % 10 for i in range(120)]
        assert saved["classes"].tolist() == [str(i) for i in range(10)]
    with ZipFile(tmp_path / "zip" / "images.zip") as archive:
        assert archive.namelist() == names
        assert archive.read("7/007.png") == files[7].read_bytes()
    for name in ("grid", "classes", "interpolation-linear", "interpolation-spherical"):
        assert Image.open(tmp_path / "png" / f"{name}.png").size[0] > 200
    ganexp(*overrides, "truncation=0.3", "output=cut", cwd=tmp_path)
    assert files[0].read_bytes() != (tmp_path / "cut" / "images" / "0" / "000.png").read_bytes()


@pytest.mark.parametrize(
    ("override", "message"),
    [("format=jpg", "must be one of png, zip, npz"), ("truncation=-1", "truncation=-1"), ("n=0", "n=0: must be")],
)
def test_wrong_settings_are_refused(run, tmp_path, override, message):
    refused = ganexp("sample", f"ckpt={run}", override, "output=x", cwd=tmp_path, check=False)
    assert message in refused.stderr
    assert not (tmp_path / "x").exists()


def test_nothing_is_overwritten(run, tmp_path):
    (tmp_path / "x" / "images").mkdir(parents=True)
    assert "x is not empty" in ganexp("sample", f"ckpt={run}", "n=2", "output=x", cwd=tmp_path, check=False).stderr


def test_second_drawing_is_beside_the_first(run, tmp_path):
    first = run / "samples" / "drawn-step-0000004-seed-9"
    (first / "images").mkdir(parents=True)
    done = ganexp("sample", f"ckpt={run}", "n=2", "seed=9", cwd=tmp_path)
    second = run / "samples" / f"{first.name}-2"
    assert done.stdout.rstrip().endswith(second.name)
    assert len(list((second / "images").rglob("*.png"))) == 2
    assert not list(first.rglob("*.png"))


def test_images_of_one_class_are_the_same_in_every_format(run, tmp_path):
    overrides = ("sample", f"ckpt={run}", "n=3", "label=7")
    ganexp(*overrides, cwd=tmp_path)
    ganexp(*overrides, "output=npz", "format=npz", cwd=tmp_path)
    (output,) = (run / "samples").glob("drawn-*-class-7")
    files = sorted((output / "images" / "7").iterdir())
    with np.load(tmp_path / "npz" / "images.npz") as saved:
        assert saved["arr_1"].tolist() == [7, 7, 7]
        assert np.array_equal(saved["arr_0"][..., 0], [np.asarray(Image.open(file)) for file in files])
    assert not (output / "classes.png").exists()
    refused = ganexp("sample", f"ckpt={run}", "label=10", "output=x", cwd=tmp_path, check=False)
    assert "Classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9. Give a name" in refused.stderr
    assert not (tmp_path / "x").exists()


def test_batch_norm_by_the_batch_draws_no_image_alone(tmp_path):
    small = ("data=fake", "data.source.size=64", "data.resolution=8", "data.channels=1")
    case = ("experiment=dcgan/mnist_saturating", "as_published=dcgan")
    ganexp(*case, *TINY, *small, "hydra.run.dir=run", cwd=tmp_path)
    refused = ganexp("sample", "ckpt=run", "n=101", cwd=tmp_path, check=False)
    assert "a single image cannot be drawn: use n=102" in refused.stderr
    ganexp("sample", "ckpt=run", "n=102", cwd=tmp_path)
