"""The guard finds failures, and then warns, stops the run, or rolls the run back."""

import json
import math
import shutil
from types import SimpleNamespace
from unittest.mock import patch

import pytest
import torch
from helpers.cli import ganexp
from helpers.config import TINY
from helpers.states import last_checkpoint, logged_points, same_state
from pytorch_lightning.callbacks import ModelCheckpoint

from ganexp.callbacks import sample_diversity
from ganexp.callbacks.guard import Guard
from ganexp.callbacks.rollback import keep_as_good, roll_back
from ganexp.callbacks.sample_diversity import mean_distance
from ganexp.checkpoint import read_checkpoint
from ganexp.data.images import ImageSet
from ganexp.losses import Hinge, NonSaturating, TwoClass, Wasserstein
from ganexp.pixels import from_uint8
from ganexp.report.run import read_run
from ganexp.runs.run_directory import RunDirectory

pytestmark = pytest.mark.slow


class Watched:
    """A run with a guard, but without networks: `evaluate` logs losses and then reports an evaluation."""

    def __init__(self, path, adversarial=None, image_sets=None, **options):
        self.run = RunDirectory(path)
        self.guard = Guard(self.run, image_sets or {}, **options)
        self.trainer = SimpleNamespace(should_stop=False, checkpoint_callbacks=[ModelCheckpoint(monitor="fid_x")])
        self.sent, self.stops = [], []
        objective = SimpleNamespace(adversarial=adversarial)
        self.gan = SimpleNamespace(step=0, is_done=False, objective=objective, score_values={}, num_classes=0)
        self.gan.log_values, self.gan.stop = self.sent.append, self.stops.append

    def evaluate(self, losses=(), fid=None):
        for loss in losses or [1.0]:
            self.gan.step += 1
            self.gan.losses_logged_at = self.gan.step
            terms = {f"loss/discriminator/{name}": loss / 2 for name in ("real", "fake")}
            self.gan.logged = terms | {"loss/discriminator_mean": loss}
            self.guard.on_train_batch_end(self.trainer, self.gan)
        if fid is not None:
            self.gan.score_values = {"fid_x": fid}
        self.guard.on_train_epoch_end(self.trainer, self.gan)

    @property
    def kinds(self):
        return [entry["kind"] for entry in self.run.metadata().get("guard", [])]


@pytest.mark.parametrize(
    ("adversarial", "loss", "expected"),
    [
        (NonSaturating(), 0.001, ["floor"]),
        (NonSaturating(), 0.1, []),
        (NonSaturating(real_target=0.9), 0.33, ["floor"]),  # the entropy of the target 0.9 is 0.325
        (NonSaturating(real_target=1.2), -3.0, []),  # this loss has no lower bound
        (TwoClass(real_target=[0.8, 1.0]), 0.33, ["floor"]),
        (Hinge(), 0.0, ["floor"]),
        (Wasserstein(), -20.0, []),
        (object(), 0.0, []),  # a user's own loss
    ],
)
def test_loss_at_its_floor_is_found_after_three_evaluations(tmp_path, adversarial, loss, expected):
    watched = Watched(tmp_path, adversarial)
    for _ in range(2):
        watched.evaluate([loss, loss])
    assert watched.kinds == []
    for _ in range(3):
        watched.evaluate([loss, loss])
    assert watched.kinds == expected  # found only once
    assert watched.sent == [{"guard/floor": 1.0}] * len(expected)
    assert not watched.trainer.should_stop


def test_evaluation_without_the_failure_begins_a_new_count(tmp_path):
    watched = Watched(tmp_path, Hinge())
    for loss in (0.0, 0.0, 1.0, 0.0, 0.0):
        watched.evaluate([loss])
    assert watched.kinds == []


def test_rise_between_two_evaluations_is_found(tmp_path):
    watched = Watched(tmp_path)
    watched.evaluate([1.0, 1.1] * 10 + [5.0] * 3 + [1.0, 1.1] * 2)
    assert watched.kinds == ["rise"]


@pytest.mark.parametrize(
    ("fids", "expected"),
    [
        ([9, 5, 7, 7, 7, 7, 7], ["score"]),
        ([9, 5, 6, 6, 6, 6, 6, 6], []),  # only noise
        ([9, 5, 7, 7, 7, 7, 4, 6, 6, 6, 6], []),  # the new best score 4 begins a new count
        ([9, 5, 7, 7, 7, 7, float("nan"), 7], []),
    ],
)
def test_score_that_stays_worse_is_found(tmp_path, fids, expected):
    watched = Watched(tmp_path)
    for fid in fids:
        watched.evaluate(fid=fid)
    assert watched.kinds == expected


@pytest.mark.parametrize(("spread", "expected"), [(0.0, ["diversity"]), (0.09, ["diversity"]), (0.11, [])])
def test_samples_that_are_too_alike_are_found(tmp_path, monkeypatch, spread, expected):
    """The samples are real images whose distances from each other are multiplied by `spread`."""
    real = torch.randint(0, 256, (256, 1, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    samples = spread * from_uint8(real, "symmetric")
    monkeypatch.setattr(sample_diversity, "sample_images", lambda *arguments, **options: samples.split(100))
    watched = Watched(tmp_path, image_sets={"train": ImageSet(real, None, [])})
    for _ in range(2):
        watched.evaluate()
    assert watched.kinds == []
    for _ in range(2):
        watched.evaluate()
    assert watched.kinds == expected
    texts = [entry["message"] for entry in watched.run.metadata().get("guard", [])]
    assert all(f"{spread:.1%} of the distance between two real images" in text for text in texts)


@pytest.mark.parametrize(("action", "stops"), [("warn", False), ("stop", True), ("rollback", True), ("off", False)])
def test_action_decides_whether_the_run_ends(tmp_path, action, stops):
    watched = Watched(tmp_path, Hinge(), action=action, patience=2)
    for _ in range(2):
        watched.evaluate([0.0])
    assert watched.trainer.should_stop is stops
    assert watched.kinds == ([] if action == "off" else ["floor"])
    assert not watched.guard.must_roll_back  # there is no checkpoint to return to
    assert [text.startswith(f"by callbacks.guard.action={action}") for text in watched.stops] == [True] * stops


def test_counts_are_resumed(tmp_path):
    first, second = Watched(tmp_path, Hinge()), Watched(tmp_path, Hinge())
    for _ in range(2):
        first.evaluate([0.0], fid=5.0)
    second.guard.load_state_dict(first.guard.state_dict())
    second.evaluate([0.0])
    assert second.kinds == ["floor"]


def test_distance_of_images_is_within_classes():
    images = torch.tensor([0.0, 0.0, 3.0, 3.0]).reshape(4, 1, 1, 1)
    labels = torch.tensor([0, 0, 1, 1])
    assert mean_distance(images) == pytest.approx(3 * 4 / 6)
    assert mean_distance(images, labels) == 0  # the two images of a class are equal
    assert math.isnan(mean_distance(images[:1]))


FAILING = """
from ganexp.losses import NonSaturating

class Failing(NonSaturating):
    evaluations = 0

    @property
    def discriminator_floor(self):
        self.evaluations += 1
        return 100.0 if self.evaluations > 1 else None
"""


@pytest.fixture
def failing(tmp_path, monkeypatch):
    """Return the overrides of a run in which D's loss is below its floor at every evaluation except the first."""
    (tmp_path / "failing_loss.py").write_text(FAILING)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("GANEXP_TRUST", "failing_loss")
    return (
        *(word for word in TINY if not word.startswith(("callbacks", "schedule.steps"))),
        "loss=non_saturating",
        "loss.adversarial._target_=failing_loss.Failing",
        "schedule.steps=12",
        "callbacks=[progress,guard]",
        "trainer=cpu",
        "logger=none",
    )


def test_wrong_argument_is_refused_before_anything_is_written(tmp_path):
    for word in ("callbacks.guard.action=maybe", "+callbacks.guard.patience=0", "+callbacks.guard.nothing=1"):
        refused = ganexp(*TINY, "callbacks=guard", word, cwd=tmp_path, check=False)
        assert refused.returncode == 1
        assert word.strip("+").partition("=")[0].replace(".nothing", "") in refused.stderr
    assert not (tmp_path / "outputs").exists()


def test_warnings_are_in_the_report_and_all_loggers(tmp_path, failing):
    done = ganexp(*failing, "hydra.run.dir=run", cwd=tmp_path)
    assert "guard: D's loss is" in done.stdout
    assert [point["step"] for point in logged_points(tmp_path / "run") if "guard/floor" in point] == [8]
    assert any("at step 8 the guard found: D's loss is" in text for text in read_run(tmp_path / "run", "run").warnings)


def test_rollback_repeats_steps_with_other_random_numbers(tmp_path, failing):
    options = ("callbacks.guard.action=rollback", "callbacks.guard.max_rollbacks=2", "+callbacks.guard.patience=1")
    done = [ganexp(*failing, *options, f"hydra.run.dir=run{number}", cwd=tmp_path) for number in (1, 2)]
    ganexp(*failing, "callbacks=progress", "schedule.steps=4", "hydra.run.dir=plain", cwd=tmp_path)
    first, second, plain = (tmp_path / name for name in ("run1", "run2", "plain"))
    assert "stopped at step 4 by callbacks.guard.action=rollback after 2 rollbacks. Failures: floor" in done[0].stdout
    assert json.loads((first / "run.json").read_text())["rollbacks"] == [{"from": 4, "to": 2}] * 2
    assert logged_points(first) == logged_points(second)
    assert same_state(last_checkpoint(first)["state_dict"], last_checkpoint(second)["state_dict"])
    ours, undisturbed = ([point for point in logged_points(run) if "loss/generator" in point] for run in (first, plain))
    assert [point["step"] for point in ours] == [1, 2, 3, 4]
    assert ours[:2] == undisturbed[:2]
    assert ours[2] != undisturbed[2]
    assert ours[2]["axis/epochs"] == undisturbed[2]["axis/epochs"]


def test_rollback_continues_as_a_resumed_run_would(tmp_path, failing):
    """The rollback also restores best.ckpt, from the copy that was made together with the copy of last.ckpt."""
    run = RunDirectory(tmp_path / "run")
    ganexp(*failing, "schedule.steps=4", f"hydra.run.dir={run.path}", cwd=tmp_path)
    run.best.write_bytes(b"best of before")
    keep_as_good(run)
    before = read_checkpoint(run.last)
    run.best.unlink()
    run.best.write_bytes(b"best of the failure")
    roll_back(run, before)
    after = read_checkpoint(run.last)
    assert run.best.read_bytes() == b"best of before"
    assert same_state(before["state_dict"], after["state_dict"])
    random_states = [checkpoint["callbacks"]["RandomState"] for checkpoint in (before, after)]
    assert not torch.equal(random_states[0]["cpu"], random_states[1]["cpu"])
    assert random_states[0]["python"] != random_states[1]["python"]
    assert [path.name for path in run.last.parent.iterdir() if path.name.startswith(".")] == []


class Killed(BaseException):
    """An exception that stands for a kill of the process."""


def test_rollback_that_is_killed_is_made_when_the_run_resumes(tmp_path, failing):
    """The run is killed at the end of a rollback, just before the rollback replaces last.ckpt."""
    options = ("callbacks.guard.action=rollback", "callbacks.guard.max_rollbacks=1", "+callbacks.guard.patience=1")
    run = RunDirectory(tmp_path / "run")
    with patch("ganexp.callbacks.rollback.AtomicCheckpointIO", side_effect=Killed), pytest.raises(Killed):
        ganexp(*failing, *options, f"hydra.run.dir={run.path}", cwd=tmp_path)
    assert read_checkpoint(run.last)["ganexp"]["step"] == 4
    expected = RunDirectory(shutil.copytree(run.path, tmp_path / "expected"))
    roll_back(expected, read_checkpoint(expected.last))
    assert read_checkpoint(expected.last)["ganexp"]["step"] == 2
    done = [ganexp("resume", each.path.name, cwd=tmp_path) for each in (run, expected)]
    assert "rollback 1: the run continues from step 2" in done[0].stdout
    assert "rollback 1:" not in done[1].stdout
    assert "after 1 rollback. Failures: floor" in done[0].stdout
    assert [each.metadata()["rollbacks"] for each in (run, expected)] == [[{"from": 4, "to": 2}]] * 2
    assert logged_points(run.path) == logged_points(expected.path)
    ours, theirs = last_checkpoint(run.path), last_checkpoint(expected.path)
    assert all(same_state(ours[part], theirs[part]) for part in ("state_dict", "optimizer_states"))
