"""The command `ganexp train`: evaluations, monitored scores, precision, callbacks, loggers, time limits and SLURM."""

import json
import multiprocessing
import signal
import time

import pytest
import torch
from filelock import FileLock
from helpers.caches import caches_of_tests
from helpers.cli import ganexp, ganexp_process
from helpers.config import TINY
from helpers.states import last_checkpoint, logged_points, same_state, wait_for_step
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ganexp.commands.result import final_scores

pytestmark = pytest.mark.slow
FAST = (*TINY, "loss.n_critic=1")
SCORED = (*FAST, "metrics=classifier", "metrics.samples=60", "metrics.extractor.updates=10")


def evaluated_steps(run):
    return [point["step"] for point in logged_points(run) if "score/fid_classifier" in point]


@pytest.mark.parametrize(("steps", "every", "expected"), [(5, 2, [0, 2, 4, 5]), (3, 5000, [0, 3]), (4, 2, [0, 2, 4])])
def test_run_is_evaluated_at_its_end(tmp_path, steps, every, expected):
    length = (f"schedule.steps={steps}", f"schedule.evaluate_every={every}")
    text = ganexp(
        *SCORED, *length, "callbacks=[progress,sample_grids]", "metrics.grid_rows=1", "hydra.run.dir=run", cwd=tmp_path
    ).stdout
    run = tmp_path / "run"
    assert evaluated_steps(run) == expected
    assert sorted(path.name for path in run.glob("samples/step-*")) == [f"step-{step:07d}.png" for step in expected]
    checkpoint = last_checkpoint(run)
    assert checkpoint["ganexp"]["step"] == checkpoint["global_step"] == steps  # Lightning counts the same steps
    assert json.loads((run / "run.json").read_text())["scores"]["last"]["step"] == steps
    assert f"step {steps}/{steps}" in text
    assert (
        "; evaluated at its start and end\n" if every > steps else "; evaluated every 2 steps, and at the end\n"
    ) in text
    assert "nothing to do" in ganexp("resume", "run", cwd=tmp_path).stdout


@pytest.mark.parametrize("updates", ["n_critic=3", "order=generator_first", "order=simultaneous"])
def test_global_step_is_the_step(tmp_path, updates):
    ganexp(*TINY, "loss=hinge", f"schedule.updates.{updates}", "hydra.run.dir=run", cwd=tmp_path)
    assert last_checkpoint(tmp_path / "run")["global_step"] == 4


def test_any_score_can_be_monitored(tmp_path):
    stop = ("callbacks=[progress,early_stopping]", "callbacks.early_stopping.patience=1")
    other = ("callbacks.early_stopping.monitor=kid_classifier_test",)
    best = ("metrics.best_by=coverage", "metrics/score=[fid,kid,neighbours]", "metrics.references=[train,test]")
    length = (
        "schedule.steps=40",
        "schedule.evaluate_every=2",
        "optimizer.generator.lr=0",
        "optimizer.discriminator.lr=0",
    )
    ganexp(*SCORED, *stop, *other, *best, *length, "hydra.run.dir=run", cwd=tmp_path)
    assert evaluated_steps(tmp_path / "run") == [0, 2, 4]  # nothing changed, so nothing improved
    states = last_checkpoint(tmp_path / "run")["callbacks"]
    assert [key for key in states if "kid_classifier_test" in key]
    assert states["ModelCheckpoint[best]"]["monitor"] == "coverage_classifier"


@pytest.mark.parametrize("best_by", ["distance", "nothing"])
def test_best_by_must_be_a_score_with_a_direction(tmp_path, best_by):
    overrides = (*SCORED, "metrics/score=[fid,diversity]", f"metrics.best_by={best_by}", "hydra.run.dir=run")
    refused = ganexp(*overrides, cwd=tmp_path, check=False)
    assert f"metrics.best_by={best_by}: must be one of fid" in refused.stderr
    assert not (tmp_path / "run").exists()


def test_final_scores_take_the_best_of_trained_networks():
    points = [{"step": step, "score/fid_x": value} for step, value in ((0, 1.0), (5, 3.0), (9, 4.0))]
    points.insert(2, {"step": 7, "loss/generator": 0.0})
    scores = final_scores(points, "fid_x", "min")
    assert {which: row["step"] for which, row in scores.items()} == {"best": 5, "last": 9, "untrained": 0}
    assert final_scores(points, "fid_x", "max")["best"] == {"step": 9, "fid_x": 4.0}
    assert final_scores(points[:1], "fid_x", "min") == {}


def test_mixed_precision_trains(tmp_path):
    ganexp(*TINY, "trainer.precision=bf16-mixed", "trainer=cpu", "hydra.run.dir=run", cwd=tmp_path)
    weights = last_checkpoint(tmp_path / "run")["state_dict"].values()
    assert all(weight.dtype == torch.float32 and weight.isfinite().all() for weight in weights)


def test_time_limit_ends_at_an_evaluation_and_resumes_exactly(tmp_path):
    words = (*SCORED, "schedule.steps=5", "schedule/lr_decay=linear", "schedule.ema.decay=0.9", "trainer=cpu")
    ganexp(*words, "hydra.run.dir=whole", cwd=tmp_path)
    run = tmp_path / "run"
    done = ganexp(*words, "trainer.max_time=00:00:00:00", "hydra.run.dir=run", cwd=tmp_path)
    for step in (2, 4):
        assert "stopped by trainer.max_time=00:00:00:00. Resume with: ganexp resume run" in done.stdout
        metadata = json.loads((run / "run.json").read_text())
        assert (metadata["status"], metadata["scores"]["last"]["step"]) == ("interrupted", step)
        done = ganexp("resume", "run", cwd=tmp_path)
    assert "stopped by" not in done.stdout
    assert json.loads((run / "run.json").read_text())["status"] == "finished"
    ours, undisturbed = last_checkpoint(run), last_checkpoint(tmp_path / "whole")
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "StreamData"):
        assert same_state(ours[part], undisturbed[part]), part
    assert logged_points(run) == logged_points(tmp_path / "whole")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Train a run with scores, and return the run directory."""
    cwd = tmp_path_factory.mktemp("plain")
    with caches_of_tests(tmp_path_factory):
        ganexp(*SCORED, "trainer=cpu", "hydra.run.dir=plain", cwd=cwd)
    return cwd / "plain"


def test_arguments_of_the_trainer_change_no_bits(plain, tmp_path):
    arguments = ("deterministic=true", "detect_anomaly=true", "enable_model_summary=true")
    words = [f"trainer.{argument}" for argument in arguments]
    done = ganexp(*SCORED, "trainer=cpu", *words, "hydra.run.dir=run", cwd=tmp_path)
    assert "Trainable params" in done.stdout
    assert same_state(last_checkpoint(tmp_path / "run")["state_dict"], last_checkpoint(plain)["state_dict"])
    assert logged_points(tmp_path / "run") == logged_points(plain)
    assert torch.are_deterministic_algorithms_enabled()
    ganexp(*FAST, "trainer=cpu", "hydra.run.dir=after", cwd=tmp_path)  # as the next job of a sweep would run
    assert not torch.are_deterministic_algorithms_enabled()


BAR = "{_target_: pytorch_lightning.callbacks.TQDMProgressBar}"


def test_second_progress_bar_is_refused_without_a_traceback(tmp_path):
    refused = ganexp(*TINY, f"+callbacks.mine={BAR}", "hydra.run.dir=run", cwd=tmp_path, check=False)
    assert refused.returncode == 1
    assert "multiple progress bar callbacks" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"


def test_another_progress_bar_takes_the_place_of_the_line(tmp_path):
    done = ganexp(*TINY, "callbacks=none", f"+callbacks.mine={BAR}", "hydra.run.dir=run", cwd=tmp_path)
    assert "Epoch 1" in done.stdout + done.stderr
    assert "step/s" not in done.stdout


def test_callbacks_and_loggers_come_from_the_config(tmp_path):
    chosen = ("callbacks=[sample_grids]", "logger=[csv]", "metrics.grid_rows=2", "metrics.grid_columns=3")
    ganexp(*SCORED, *chosen, "hydra.run.dir=run", cwd=tmp_path)
    files = {path.name for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert {"metrics.csv", "metrics.jsonl", "last.ckpt", "best.ckpt", "step-0000004.png"} <= files
    assert not any(name.startswith(("events", "interpolation", "curves")) for name in files)
    header = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0]
    assert "score/fid_classifier" in header


def test_tensorboard_has_curves_pictures_and_one_file(tmp_path):
    ganexp(*SCORED, "callbacks=sample_grids", "metrics.grid_rows=1", "hydra.run.dir=run", cwd=tmp_path)
    (file,) = (tmp_path / "run").glob("events.*")
    events = EventAccumulator(str(file), size_guidance={"scalars": 0, "images": 0})
    events.Reload()
    assert [event.step for event in events.Scalars("1 score/fid_classifier")] == [0, 2, 4]
    assert [event.step for event in events.Scalars("3 loss/generator")] == [1, 2, 3, 4]
    assert [event.step for event in events.Images("2 pictures/1 samples")] == [0, 2, 4]
    assert events.Scalars("2 final/best/fid_classifier")
    assert not (tmp_path / "run" / "hparams.yaml").exists()


SLURM = {
    "SLURM_JOB_ID": "1",
    "SLURM_JOB_NAME": "train",
    "SLURM_NTASKS": "1",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0",
    "SLURM_NODELIST": "localhost",
    "SLURM_STEP_NODELIST": "localhost",
    "SLURM_NTASKS_PER_NODE": "1",
}


def test_slurm_run_ignores_a_foreign_checkpoint(plain, tmp_path, monkeypatch):
    """Lightning loads hpc_ckpt_* from the trainer's root directory, so runs must not share this directory."""
    foreign = last_checkpoint(plain)
    for name, value in foreign["state_dict"].items():
        foreign["state_dict"][name] = torch.zeros_like(value)
    torch.save(foreign, tmp_path / "hpc_ckpt_1.ckpt")
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    ganexp(*SCORED, "trainer=cpu", "hydra.run.dir=run", cwd=tmp_path)
    assert same_state(last_checkpoint(tmp_path / "run")["state_dict"], last_checkpoint(plain)["state_dict"])
    assert logged_points(tmp_path / "run") == logged_points(plain)
    ganexp("evaluate", "ckpt=run", cwd=tmp_path)
    evaluated = json.loads((tmp_path / "run" / "scores.json").read_text())
    for name in SLURM:
        monkeypatch.delenv(name)
    ganexp("evaluate", "ckpt=run", "output=plain", cwd=tmp_path)
    assert evaluated["scores"] == json.loads((tmp_path / "plain" / "scores.json").read_text())["scores"]


def test_ended_run_leaves_no_worker_processes(tmp_path):
    before = set(multiprocessing.active_children())
    ganexp(*TINY, "data.in_memory=false", "data.workers=2", "hydra.run.dir=run", cwd=tmp_path)
    assert set(multiprocessing.active_children()) == before


def test_slurm_preemption_resumes_with_the_same_bits(tmp_path, monkeypatch):
    length = ("schedule.steps=180", "schedule.evaluate_every=150", "trainer.log_every=10")
    networks = ("model.generator.hidden=[16]", "model.discriminator.hidden=[16]")
    base = (*SCORED, *length, *networks, "trainer=cpu")
    ganexp(*base, "hydra.run.dir=whole", cwd=tmp_path)
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    process = ganexp_process(*base, "hydra.run.dir=run", cwd=tmp_path)
    wait_for_step(tmp_path / "run", 30, process)
    process.send_signal(signal.SIGUSR1)
    wait_until(lambda: list((tmp_path / "run").glob("hpc_ckpt_*")), process)
    process.kill()
    process.wait()
    with FileLock(tmp_path / "run" / ".lock", timeout=30):  # a child of the process may hold the lock for a moment
        pass
    assert not list(tmp_path.glob("hpc_ckpt_*"))
    ganexp("resume", "run", cwd=tmp_path)
    assert same_state(
        last_checkpoint(tmp_path / "run")["state_dict"], last_checkpoint(tmp_path / "whole")["state_dict"]
    )
    assert logged_points(tmp_path / "run") == logged_points(tmp_path / "whole")


def wait_until(condition, process):
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)
