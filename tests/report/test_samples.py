"""Which sample grids a page shows, and how they are embedded."""

import base64
import io

import pytest
from helpers.runs import make_run
from PIL import Image

from ganexp.report import samples
from ganexp.report.collect import collect
from ganexp.report.grouping import group_runs
from ganexp.report.samples import MAX_SIDE, MAX_STEPS, choose_samples, embed


@pytest.fixture
def choose_of(tmp_path, hinge):
    """Return a function that makes runs with sample grids at the given steps, and chooses grids for the page."""

    def choose(*steps_of_runs):
        for seed, steps in enumerate(steps_of_runs):
            run = make_run(tmp_path / str(seed), hinge, seed)
            (run / "samples").mkdir()
            for step in steps:
                Image.new("RGB", (8, 8)).save(run / "samples" / f"step-{step:07d}.png")
        return choose_samples(group_runs(collect([tmp_path])))

    return choose


def test_steps_that_most_runs_share_are_shown(choose_of):
    chosen = choose_of(range(0, 900, 100), range(0, 500, 100), (0, 7000))
    assert len(chosen.moments) == MAX_STEPS
    assert chosen.moments[0].title == "step 0"
    assert chosen.first.title == "step 400"  # two of the three runs have this step
    assert [grid.uri is None for grid in chosen.first.grids] == [False, False, False]
    assert [grid.remark for grid in chosen.first.grids] == ["", "", "nearest: step 7,000"]
    assert chosen.left_out == "4 more steps"


def test_steps_of_a_single_run_give_way_to_shared_ones(choose_of):
    shared = range(0, 600, 100)
    chosen = choose_of(range(0, 2000, 20), shared, shared)
    assert [moment.title for moment in chosen.moments] == [f"step {step}" for step in shared]


def test_configurations_take_turns(tmp_path, monkeypatch, hinge, wgan_gp):
    monkeypatch.setattr(samples, "MAX_RUNS", 3)
    for loss, text in (("hinge", hinge), ("wgan_gp", wgan_gp)):
        for seed in range(2):
            make_run(tmp_path / loss / str(seed), text, seed, pictures=True)
    chosen = choose_samples(group_runs(collect([tmp_path])))
    assert [grid.label for grid in chosen.moments[0].grids] == ["hinge/0", "hinge/1", "wgan_gp/0"]
    assert [moment.title for moment in chosen.moments] == ["step 0", "step 500", "step 1,000", "interpolation, linear"]
    assert chosen.left_out == "1 more run"


def test_caption_has_configuration_and_seed_if_they_name_one_run(tmp_path, hinge):
    for name, seed in (("a", 0), ("b", 1), ("c", 1)):
        make_run(tmp_path / name, hinge, seed, pictures=True, status="running")
    configurations = group_runs(collect([tmp_path]))
    configurations[0].label = "loss=hinge"
    grids = choose_samples(configurations).moments[0].grids
    assert [(grid.label, grid.run) for grid in grids] == [("loss=hinge, seed 0", "a"), ("b", "b"), ("c", "c")]


def test_real_images_are_those_of_the_first_run_with_them(tmp_path, hinge):
    for name, dataset in (("a", "digits"), ("b", "digits"), ("c", "mnist")):
        run = make_run(tmp_path / name, hinge, name, pictures=True, groups={"data": dataset})
        if name != "a":
            Image.new("RGB", (8, 8)).save(run / "samples" / "real.png")

    def real_of(*names):
        return choose_samples(group_runs(collect([tmp_path / name for name in names]))).real

    assert real_of("a") is None
    assert (real_of("a", "b").label, real_of("a", "b").remark) == ("real images", "")
    assert real_of("a", "b", "c").remark == "of b"
    assert real_of("a", "b").uri.startswith("data:image/webp")


def test_real_images_of_another_folder_are_named(tmp_path, hinge):
    content = {"x": {"train": {"sha256": "1" * 64}}, "y": {"train": {"sha256": "2" * 64}}}
    for name, images in (("a", "x"), ("b", "x"), ("c", "y"), ("d", None), ("e", None)):
        text = hinge.replace("  path: null", f"  path: /x/{name}")
        data = {"data": content[images]} if images else {}
        run = make_run(tmp_path / name, text, name, pictures=True, groups={"data": "folder"}, **data)
        Image.new("RGB", (8, 8)).save(run / "samples" / "real.png")

    def remark_of(*names):
        return choose_samples(group_runs(collect([tmp_path / name for name in names]))).real.remark

    assert remark_of("a", "b") == ""  # the same images at two paths
    assert remark_of("a", "b", "c") == "of a"
    assert remark_of("d", "e") == "of d"


def test_no_samples_are_no_moments(outputs):
    assert choose_samples(group_runs(collect([outputs]))).moments == []


def test_embedded_image_is_small_webp(tmp_path):
    Image.new("RGB", (900, 300), "red").save(tmp_path / "a.png")
    start, data = embed(tmp_path / "a.png").split(",")
    assert start == "data:image/webp;base64"
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert (image.format, image.width) == ("WEBP", MAX_SIDE)


def test_what_is_not_a_reasonable_png_is_not_embedded(tmp_path, monkeypatch):
    (tmp_path / "text.png").write_text("no image")
    Image.new("RGB", (8, 8)).save(tmp_path / "jpeg.png", "JPEG")
    Image.new("RGB", (64, 64)).save(tmp_path / "large.png")
    monkeypatch.setattr(samples, "MAX_PIXELS", 1000)
    assert [embed(tmp_path / name) for name in ("text.png", "jpeg.png", "large.png", "none.png")] == [None] * 4
