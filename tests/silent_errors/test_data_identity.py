"""A run records its training images: `resume` refuses changed images, and `evaluate` reports the change."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from helpers.cli import ganexp
from PIL import Image

from ganexp import build

pytestmark = pytest.mark.slow

SMALL = (
    "data=folder",
    "data.resolution=8",
    "trainer=cpu",
    "schedule.steps=2",
    "schedule.evaluate_every=1",
    "schedule.batch_size=4",
    "model=mlp",
    "loss=hinge",
    "metrics=classifier",
    "metrics.extractor.updates=5",
    "metrics.samples=40",
    "metrics/score=[fid]",
    "callbacks=none",
    "metrics.cache=cache",
    "hydra.run.dir=run",
)

EARLY_STOPPING = "EarlyStopping{'monitor': 'fid_classifier', 'mode': 'min'}"


@pytest.fixture(autouse=True)
def read_anew():
    """Forget the images that were read, because a user's next command would be a new process."""
    _forget_images()
    yield
    _forget_images()


def _forget_images():
    build._read_source.cache_clear()


def fill(directory: Path, count: int, brightness: int) -> None:
    """Write `count` noisy images of about the given brightness."""
    directory.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(brightness)
    for index in range(count):
        pixels = np.clip(brightness + rng.normal(0, 20, (8, 8, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(directory / f"{index:03}.png")


def two_classes(directory: Path) -> None:
    """Write 20 dark and 20 bright images."""
    fill(directory / "dark", 20, 60)
    fill(directory / "light", 20, 190)


def trained(directory: Path, *overrides: str) -> Path:
    """Train a small run on two classes of images; return the run's directory."""
    two_classes(directory / "images")
    ganexp(*SMALL, "data.path=images", *overrides, cwd=directory)
    _forget_images()
    return directory / "run"


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory):
    """Return a directory with a trained run and its images, and an unchanged copy of the directory."""
    place, kept = tmp_path_factory.mktemp("place"), tmp_path_factory.mktemp("kept")
    trained(place)
    shutil.copytree(place, kept, dirs_exist_ok=True)
    return place, kept


@pytest.fixture
def project(trained_once):
    """Return the directory of a trained run and its images, in the state after the training.

    The directory is always the same, because the run has recorded the absolute path of its images.
    """
    place, kept = trained_once
    shutil.rmtree(place)
    shutil.copytree(kept, place)
    return place


def add_images(images: Path) -> str:
    """Add images to a class; return a part of the message about the change."""
    fill(images / "dark" / "more", 8, 80)
    return "40 images, now 48 (dark 20 → 28)"


def relabel_an_image(images: Path) -> str:
    """Move an image to another class; return a part of the message about the change."""
    shutil.move(images / "dark" / "000.png", images / "light" / "100.png")
    return "still 40 images, but others or in another order (dark 20 → 19, light 20 → 21)"


def replace_an_image(images: Path) -> str:
    """Change the pixels of one image; return a part of the message about the change."""
    Image.new("RGB", (8, 8), (1, 2, 3)).save(images / "light" / "007.png")
    return "still 40 images, but others or in another order"


def add_a_test_split(images: Path) -> str:
    """Move the classes into a training split, and add a test split; return a part of the message about the change."""
    classes = list(images.iterdir())
    (images / "train").mkdir()
    for directory in classes:
        shutil.move(directory, images / "train" / directory.name)
    shutil.copytree(images / "train", images / "test")
    return "test split: did not exist"


def train_the_classifier_anew(images: Path) -> str:
    """Change the weights of the cached classifier; return a part of the message about the change."""
    (file,) = (images.parent / "cache" / "classifiers").glob("*.pt")
    saved = torch.load(file, weights_only=True)
    saved["weights"] = {name: value * 1.5 for name, value in saved["weights"].items()}
    torch.save(saved, file)
    return "weights_sha256: "


@pytest.mark.parametrize(
    "change", [add_images, relabel_an_image, replace_an_image, add_a_test_split, train_the_classifier_anew]
)
def test_resume_refuses_scores_that_cannot_be_compared(project, change):
    run = project / "run"
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    message = change(project / "images")
    done = ganexp("resume", str(run), "schedule.steps=4", cwd=project, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert "data.changed=accept" in done.stderr
    assert {file: file.read_bytes() for file in run.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize(
    ("conditional", "lost"), [(False, ("dark", "light")), (False, ("light",)), (True, ("dark", "light"))]
)
def test_images_without_the_classes_of_the_run_are_refused(project, tmp_path, conditional, lost):
    run = trained(tmp_path, "model.conditional=true") if conditional else project / "run"
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    images = run.parent / "images"
    for name in lost:
        for file in (images / name).iterdir():
            shutil.move(file, (images if len(lost) > 1 else images / "dark") / f"{name}-{file.name}")
    given = ("resume", str(run), "schedule.steps=4", "data.changed=accept")
    done = ganexp(*given, cwd=run.parent, check=False)
    assert done.returncode == 1
    assert "train split: the images have no classes, but the training has the classes dark, light" in done.stderr
    assert "folder" in done.stderr
    assert {file: file.read_bytes() for file in run.rglob("*") if file.is_file()} == before


def test_dry_run_checks_the_weights_of_the_extractor(tmp_path):
    two_classes(tmp_path / "images")
    small = [word for word in SMALL if "extractor" not in word]
    given = (*small, "data.path=images", "debug.dry_run=true", "metrics=inception")
    missing = ganexp(*given, "metrics.weights=nowhere.pth", cwd=tmp_path, check=False)
    assert missing.stderr.startswith("metrics.weights=nowhere.pth: no such file")
    assert "6726825d.pth is not on this machine. A run downloads it" in ganexp(*given, cwd=tmp_path).stdout


@pytest.mark.parametrize("change", [replace_an_image, train_the_classifier_anew])
def test_accepted_change_starts_the_scores_anew(project, change):
    run = project / "run"
    protocol = json.loads((run / "run.json").read_text())["protocol"]
    line = change(project / "images")
    ganexp("resume", str(run), "schedule.steps=4", "data.changed=accept", cwd=project)
    metadata = json.loads((run / "run.json").read_text())
    assert metadata["protocol"]["id"] != protocol["id"]
    (recorded,) = metadata["data_changes"]
    assert recorded["step"] == 2
    assert recorded["changes"][0].removeprefix("train split: ").startswith(line)
    assert recorded["protocol"] == protocol
    points = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert {point["step"] for point in points if "score/fid_classifier" in point} == {3, 4}
    assert {1, 2, 3, 4} <= {point["step"] for point in points if "loss/generator" in point}
    earlier = [json.loads(line) for line in (run / "until-step-2" / "metrics.jsonl").read_text().splitlines()]
    assert {point["step"] for point in earlier if "score/fid_classifier" in point} == {0, 1, 2}
    assert (run / "until-step-2" / "best.ckpt").exists()
    best = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    assert best["ganexp"]["step"] == metadata["scores"]["best"]["step"]
    assert "untrained" not in metadata["scores"]
    assert yaml.safe_load((run / "config.yaml").read_text())["data"]["changed"] == "refuse"
    _forget_images()
    ganexp("resume", str(run), "schedule.steps=5", cwd=project)  # not refused: the run has recorded the change


@pytest.mark.parametrize("changed", [True, False])
def test_stopped_longer_run_has_no_final_scores(project, monkeypatch, changed):
    run = project / "run"
    finished = json.loads((run / "run.json").read_text())
    ganexp("resume", str(run), cwd=project)  # nothing to do: the scores stay
    assert json.loads((run / "run.json").read_text()) == finished
    if changed:
        replace_an_image(project / "images")
    with monkeypatch.context() as patch:
        patch.setattr("ganexp.commands.train.record_result", _stop)
        given = ("resume", str(run), "schedule.steps=4", *(["data.changed=accept"] if changed else []))
        assert ganexp(*given, cwd=project, check=False).returncode == 130
    stopped = json.loads((run / "run.json").read_text())
    assert stopped["status"] == "interrupted"
    assert not any(stopped[key] for key in ("scores", "objective", "best_by", "last_step"))
    if changed:
        assert stopped["data_changes"][0]["scores"] == finished["scores"]
    ganexp("resume", str(run), cwd=project)
    ended = json.loads((run / "run.json").read_text())
    assert ended["scores"]["last"]["step"] == ended["last_step"] == 4
    assert ended["objective"] == ended["scores"]["best"][ended["best_by"]]


def _stop(*_):
    raise KeyboardInterrupt


def test_evaluation_names_changed_images_in_its_protocol(project):
    run = project / "run"
    add_images(project / "images")
    done = ganexp("evaluate", f"ckpt={run}", cwd=project)
    (line,) = json.loads((run / "scores.json").read_text())["protocol"]["data_changes"]
    assert line.startswith("train split: 40 images, now 48")
    assert f"the images have changed since this run was trained: {line}" in done.stdout


def test_run_on_a_part_is_evaluated_with_fewer_images(tmp_path):
    run = trained(tmp_path, "data.training_images=36")
    fill(tmp_path / "fewer" / "dark", 15, 60)
    fill(tmp_path / "fewer" / "light", 15, 190)
    done = ganexp("evaluate", f"ckpt={run}", "data.path=fewer", cwd=tmp_path)
    assert "train split: 40 images, now 30" in done.stdout
    record = json.loads((run / "scores.json").read_text())
    assert "fid_classifier" in record["scores"]
    assert {"train", "fake"} <= record["d_logit"].keys()


@pytest.mark.parametrize("command", ["evaluate", "resume"])
def test_moved_dataset_is_found_where_the_command_says(project, command):
    run = project / "run"
    shutil.move(project / "images", project / "moved")
    target = [str(run), "schedule.steps=3"] if command == "resume" else [f"ckpt={run}"]
    lost = ganexp(command, *target, cwd=project, check=False)
    assert lost.returncode == 1
    assert "data.path=images: no such directory" in lost.stderr
    found = ganexp(command, *target, "data.path=moved", cwd=project)
    assert "Traceback" not in found.stderr
    if command == "resume":
        stored = yaml.safe_load((run / "config.yaml").read_text())["data"]
        assert stored["path"] == stored["source"]["path"] == str(project / "moved")


def test_dataset_below_the_root_moves_with_it(tmp_path):
    own = tmp_path / "conf" / "data"
    own.mkdir(parents=True)
    (own / "pets.yaml").write_text(
        "path: ${data.root}/pets\nresolution: 8\nchannels: 3\nnum_classes: 2\n"
        "source: {_target_: ganexp.data.sets.folder, path: '${data.path}'}\n"
    )
    two_classes(tmp_path / "old" / "pets")
    own_dataset = ["--config-dir", "conf", "data=pets", "data.root=old"]
    ganexp(*SMALL[1:], *own_dataset, cwd=tmp_path)
    run = tmp_path / "run"
    shutil.move(tmp_path / "old", tmp_path / "new")
    shutil.rmtree(tmp_path / "new" / "pets" / "light")  # fewer images: the message must name their number
    fill(tmp_path / "new" / "pets" / "light", 10, 190)
    _forget_images()
    done = ganexp("evaluate", f"ckpt={run}", "data.root=new", cwd=tmp_path)
    assert "train split: 40 images, now 30 (light 20 → 10)" in done.stdout
    (tmp_path / "elsewhere").mkdir()
    refused = ganexp("resume", str(run), "data.root=new", "schedule.steps=3", cwd=tmp_path, check=False)
    assert "40 images, now 30" in refused.stderr


def test_root_that_holds_no_image_of_the_run_is_refused(project):
    run = project / "run"
    done = ganexp("evaluate", f"ckpt={run}", "data.root=elsewhere", cwd=project, check=False)
    assert done.returncode == 1
    assert "at images: give data.path=" in done.stderr


def test_relative_paths_are_found_from_other_directories(project):
    run = project / "run"
    (project / "elsewhere").mkdir()
    found = ganexp("evaluate", f"ckpt={run}", "output=../scored", cwd=project / "elsewhere")
    assert "the images have changed" not in found.stdout
    assert "data_changes" not in json.loads((project / "scored" / "scores.json").read_text())["protocol"]
    ganexp("resume", f"../{run.relative_to(project)}", "schedule.steps=3", cwd=project / "elsewhere")
    assert [path.name for path in (project / "elsewhere").iterdir()] == []


@pytest.mark.parametrize("overrides", [(), ("model.conditional=true", "metrics.labels=uniform")])
def test_dry_run_reads_the_images_and_leaves_nothing(tmp_path, overrides):
    two_classes(tmp_path / "images")
    done = ganexp(*SMALL, "data.path=images", *overrides, "debug.dry_run=true", cwd=tmp_path)
    assert "20 each: dark, light" in done.stdout
    assert "Nothing was trained or written" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


@pytest.mark.parametrize("overrides", [(), ("schedule.epochs=2",)])
def test_dry_run_downloads_nothing(tmp_path, monkeypatch, overrides):
    monkeypatch.setattr("torchvision.datasets.MNIST.download", lambda self: pytest.fail("downloaded"))
    done = ganexp("data=mnist", "data.root=none", "debug.dry_run=true", *overrides, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "is not on this machine. A dry run downloads nothing" in done.stderr
    assert not list(tmp_path.iterdir())


def test_dry_run_refuses_what_a_training_refuses(tmp_path, monkeypatch):
    two_classes(tmp_path / "images")
    fill(tmp_path / "images" / "rare", 1, 230)
    few = ("model.conditional=true", "metrics/score=[intra_fid]", "debug.dry_run=true")
    refused = ganexp(*SMALL, "data.path=images", *few, cwd=tmp_path, check=False)
    assert refused.returncode == 1
    assert "class rare has 1" in refused.stderr
    too_large = ganexp(
        *SMALL, "data.path=images", "debug.dry_run=true", "schedule.batch_size=99", cwd=tmp_path, check=False
    )
    assert "schedule.batch_size=99" in too_large.stderr
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    no_gpu = ganexp(*SMALL, "data.path=images", "debug.dry_run=true", "trainer=gpu", cwd=tmp_path, check=False)
    assert "torch finds no GPU here" in no_gpu.stderr


@pytest.mark.parametrize("change", [add_images, train_the_classifier_anew])
def test_accepted_change_survives_a_kill_right_after_it(project, monkeypatch, change):
    run = project / "run"
    change(project / "images")
    arguments = ("resume", str(run), "schedule.steps=4")
    with monkeypatch.context() as patched:
        patched.setattr("ganexp.commands.resume.fit_run", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
        assert ganexp(*arguments, "data.changed=accept", cwd=project, check=False).returncode == 130
    _forget_images()
    ganexp(*arguments, cwd=project)
    metadata = json.loads((run / "run.json").read_text())
    assert metadata["status"] == "finished"
    assert len(metadata["data_changes"]) == 1


def test_accepted_change_continues_from_the_newest_whole_checkpoint(project):
    run = project / "run"
    last, best = run / "checkpoints" / "last.ckpt", run / "checkpoints" / "best.ckpt"
    expected = torch.load(best, weights_only=True)["ganexp"]["step"]
    last.write_bytes(last.read_bytes()[:100])
    add_images(project / "images")
    done = ganexp("resume", str(run), "schedule.steps=4", "data.changed=accept", cwd=project)
    assert f"last.ckpt is damaged: using best.ckpt\nresuming from step {expected}" in done.stdout
    assert json.loads((run / "run.json").read_text())["status"] == "finished"
    assert (run / f"until-step-{expected}" / "best.ckpt").exists()


@pytest.mark.parametrize("command", ["evaluate", "resume"])
def test_run_without_a_record_of_its_images_has_no_changes(project, command):
    run = project / "run"
    metadata = json.loads((run / "run.json").read_text())
    del metadata["data"], metadata["protocol"]  # the protocol has the hash of the images, too
    (run / "run.json").write_text(json.dumps(metadata))
    replace_an_image(project / "images")
    target = [str(run), "schedule.steps=3"] if command == "resume" else [f"ckpt={run}"]
    assert "the images have changed" not in ganexp(command, *target, cwd=project).stdout


def test_accepted_change_makes_callbacks_forget_scores(tmp_path, monkeypatch):
    watching = ("callbacks=[early_stopping,guard]", "callbacks.guard.action=rollback", "schedule.steps=5")
    run = trained(tmp_path, *watching)
    last, good = (run / "checkpoints" / name for name in ("last.ckpt", "good.ckpt"))
    checkpoint = torch.load(last, weights_only=True)
    guard, stopping = checkpoint["callbacks"]["Guard"], checkpoint["callbacks"][EARLY_STOPPING]
    assert len(guard["scores"]) == 2  # the best score, and its step
    guard["streaks"], guard["scores"][0], guard["rollbacks"] = {"score": 4, "floor": 1}, -1.0, 2
    stopping["best_score"], stopping["wait_count"] = torch.tensor(-1.0), 4
    for path in (last, good):
        torch.save(checkpoint, path)
    shutil.copy(last, good.with_name("good-best.ckpt"))
    replace_an_image(tmp_path / "images")
    with monkeypatch.context() as patched:
        patched.setattr("ganexp.commands.resume.fit_run", lambda *args: None)
        ganexp("resume", str(run), "schedule.steps=7", "data.changed=accept", cwd=tmp_path)
    for path in (last, good):
        states = torch.load(path, weights_only=True)["callbacks"]
        assert "scores" not in states["Guard"]
        assert states["Guard"]["rollbacks"] == 2
        assert EARLY_STOPPING not in states
        assert not [key for key, state in states.items() if "best_model_score" in state and state["monitor"]]
    assert not good.with_name("good-best.ckpt").exists()
    assert (run / "until-step-5" / "good-best.ckpt").exists()
    _forget_images()
    ganexp("resume", str(run), "schedule.steps=7", cwd=tmp_path)
    states = torch.load(last, weights_only=True)["callbacks"]
    assert states["Guard"]["scores"][1] > 5
    assert states["Guard"]["scores"][0] > 0
    assert states["Guard"]["rollbacks"] == 2
    assert states[EARLY_STOPPING]["best_score"] > 0
    assert states[EARLY_STOPPING]["wait_count"] < 4
