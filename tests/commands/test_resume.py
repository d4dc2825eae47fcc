"""A killed run goes on as if nothing had been; evaluation leaves training bit-identical."""

import json
import shutil
import signal
import time

import pytest
import torch
from helpers.cli import ganexp, ganexp_process
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

WORDS = (
    "schedule.steps=240", "schedule.evaluate_every=40", "schedule.batch_size=32", "trainer.log_every=10",
    "data.flip=true",
    "model.generator.norm=batch", "model.discriminator.dropout=0.3", "model.conditional=true", "schedule.ema.decay=0.9",
    "schedule/lr_decay=linear", "metrics.samples=100", "metrics.extractor.updates=20", "trainer=cpu",
)  # fmt: skip


def saved(folder):
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)


def same(a, b):
    """Whether two nested states hold the same bits."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


def losses(folder):
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k != "axis/seconds"} for row in rows]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The undisturbed run."""
    cwd = tmp_path_factory.mktemp("whole")
    ganexp_process(*WORDS, "hydra.run.dir=run", cwd=cwd).wait(timeout=200)
    return cwd / "run"


@pytest.mark.parametrize("kills", [1, 2])
def test_killed_runs_end_with_the_same_bits(whole, tmp_path, kills):
    folder = tmp_path / "run"
    for attempt in range(kills):
        words = (*WORDS, "hydra.run.dir=run") if attempt == 0 else ("resume", "run")
        process = ganexp_process(*words, cwd=tmp_path)
        wait_for_step(folder, 50 + 60 * attempt, process)  # past a checkpoint, inside a period
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert json.loads((folder / "run.json").read_text())["status"] == "running"
    process = ganexp_process("resume", "run", cwd=tmp_path)
    text, _ = process.communicate(timeout=200)
    assert process.returncode == 0, text

    ours, undisturbed = saved(folder), saved(whole)
    for part in ("state_dict", "optimizer_states", "StreamData"):
        assert same(ours[part], undisturbed[part]), part
    assert ours["ganexp"]["step"] == 240
    assert losses(folder) == losses(whole)
    facts = json.loads((folder / "run.json").read_text())
    assert facts["status"] == "finished"
    assert len(facts["resumed"]) == kills
    assert facts["scores"] == json.loads((whole / "run.json").read_text())["scores"]
    assert {p.name for p in (folder / "samples").iterdir()} == {p.name for p in (whole / "samples").iterdir()}
    assert {p.name for p in (folder / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    steps = [event.step for event in read_events(folder).Scalars("loss/generator")]
    assert steps == list(range(10, 241, 10))


def test_a_run_at_work_is_left_alone(tmp_path):
    process = ganexp_process(*WORDS, "schedule.steps=100000", "hydra.run.dir=run", cwd=tmp_path)
    wait_for_step(tmp_path / "run", 10, process)
    refused = ganexp("resume", "run", cwd=tmp_path, check=False)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert refused.returncode == 1
    assert "is being trained by another process" in refused.stderr


def test_killed_after_the_last_checkpoint(whole, tmp_path):
    """All steps done, pictures and final scores still to come."""
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    for picture in (folder / "samples").glob("interpolation-*"):
        picture.unlink()
    facts = json.loads((folder / "run.json").read_text())
    scores = facts.pop("scores")
    (folder / "run.json").write_text(json.dumps(facts | {"status": "running"}))
    ganexp("resume", "run", cwd=tmp_path)
    after = json.loads((folder / "run.json").read_text())
    assert (after["status"], after["scores"]) == ("finished", scores)
    for picture in ("interpolation-linear.png", "interpolation-spherical.png"):
        assert (folder / "samples" / picture).read_bytes() == (whole / "samples" / picture).read_bytes()
    assert same(saved(folder)["state_dict"], saved(whole)["state_dict"])


def test_killed_before_the_first_checkpoint(whole, tmp_path):
    process = ganexp_process(*WORDS, "hydra.run.dir=run", cwd=tmp_path)
    wait_for_step(tmp_path / "run", 10, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for checkpoint in (tmp_path / "run" / "checkpoints").glob("*"):
        checkpoint.unlink()
    ganexp("resume", "run", cwd=tmp_path)
    assert same(saved(tmp_path / "run")["state_dict"], saved(whole)["state_dict"])
    assert losses(tmp_path / "run") == losses(whole)
    steps = [event.step for event in read_events(tmp_path / "run").Scalars("score/fid_classifier")]
    assert steps == list(range(0, 241, 40))


def test_a_finished_run_is_trained_longer(tmp_path):
    """As if it had been meant to be that long, to the bit."""
    words = (*WORDS, "schedule.lr_decay=null", "schedule.evaluate_every=20")
    ganexp(*words, "schedule.steps=60", "hydra.run.dir=long", cwd=tmp_path)
    ganexp(*words, "schedule.steps=40", "hydra.run.dir=run", cwd=tmp_path)
    assert "schedule.steps=…" in ganexp("resume", "run", cwd=tmp_path).stdout
    for steps, message in (("20", "this run has 40; give more"), ("50", "a multiple of schedule.evaluate_every=20")):
        refused = ganexp("resume", "run", f"schedule.steps={steps}", cwd=tmp_path, check=False)
        assert message in refused.stderr
        assert refused.returncode == 1
    ganexp("resume", "run", "schedule.steps=60", cwd=tmp_path)
    assert same(saved(tmp_path / "run")["state_dict"], saved(tmp_path / "long")["state_dict"])
    assert losses(tmp_path / "run") == losses(tmp_path / "long")
    config = (tmp_path / "run" / "config.yaml").read_text()
    assert config == (tmp_path / "long" / "config.yaml").read_text()


def test_a_moved_run_keeps_its_best_checkpoint(tmp_path):
    words = (*WORDS, "schedule.lr_decay=null", "schedule.evaluate_every=20", "schedule.steps=20")
    ganexp(*words, "hydra.run.dir=run", cwd=tmp_path)
    checkpoint = saved(tmp_path / "run")
    (state,) = [state for state in checkpoint["callbacks"].values() if state.get("monitor") == "fid_classifier"]
    unbeaten = torch.tensor(-1.0)
    state |= {"best_model_score": unbeaten, "kth_value": unbeaten}
    state["best_k_models"] = dict.fromkeys(state["best_k_models"], unbeaten)
    torch.save(checkpoint, tmp_path / "run" / "checkpoints" / "last.ckpt")
    best = (tmp_path / "run" / "checkpoints" / "best.ckpt").read_bytes()
    (tmp_path / "run").rename(tmp_path / "moved")
    ganexp("resume", "moved", "schedule.steps=40", cwd=tmp_path)
    assert (tmp_path / "moved" / "checkpoints" / "best.ckpt").read_bytes() == best
    (state,) = [s for s in saved(tmp_path / "moved")["callbacks"].values() if s.get("monitor") == "fid_classifier"]
    assert list(state["best_k_models"]) == [str(tmp_path / "moved" / "checkpoints" / "best.ckpt")]
    assert not (tmp_path / "run").exists()


def test_a_decaying_run_is_not_made_longer(whole):
    refused = ganexp("resume", str(whole), "schedule.steps=480", cwd=whole.parent, check=False)
    assert "decays towards its end" in refused.stderr


def wait_for_step(folder, step, process):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        lines = (folder / "metrics.jsonl").read_text().splitlines() if (folder / "metrics.jsonl").exists() else []
        if any(line.startswith('{"step": ') and int(line[9:].split(",")[0]) >= step for line in lines):
            return
        time.sleep(0.01)
    raise AssertionError(f"never came to step {step}: {process.communicate()[0]}")


def read_events(folder):
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return events


def test_evaluation_leaves_training_bit_identical(tmp_path):
    """With and without scores, and with other periods between them: the same weights, losses and random state."""
    base = [w for w in WORDS if "evaluate_every" not in w and "steps" not in w]
    runs = {
        "none": ("metrics=none", "schedule.evaluate_every=40"),
        "often": ("schedule.evaluate_every=10", "metrics.samples=100", "metrics.extractor.updates=20"),
    }
    for name, words in runs.items():
        own = [w for w in base if not w.startswith("metrics.")]
        ganexp(*own, "schedule.steps=40", *words, f"hydra.run.dir={name}", cwd=tmp_path)
    none, often = saved(tmp_path / "none"), saved(tmp_path / "often")
    assert same(none["state_dict"], often["state_dict"])
    assert same(none["optimizer_states"], often["optimizer_states"])
    assert same(none["callbacks"]["RandomState"], often["callbacks"]["RandomState"])
    curves = [[row for row in losses(tmp_path / name) if "loss/generator" in row] for name in ("none", "often")]
    assert curves[0] == curves[1]
    assert len(curves[0]) == 4


def test_seeds_repeat_and_differ(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        words = ("schedule.steps=10", "schedule.evaluate_every=10", "metrics=none", f"seed={seed}")
        ganexp(*words, f"hydra.run.dir={name}", cwd=tmp_path)
    a, b, c = (saved(tmp_path / name)["state_dict"] for name in "abc")
    assert same(a, b)
    assert not same(a, c)


def test_interrupted_run_says_how_to_go_on(tmp_path):
    process = ganexp_process(
        *WORDS, "schedule.steps=100000", "schedule.evaluate_every=50000", "hydra.run.dir=run", cwd=tmp_path
    )
    wait_for_step(tmp_path / "run", 10, process)
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "ganexp resume run" in text
    assert "Traceback" not in text
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"


LIMITED = (
    *WORDS[2:], "loss=hinge", "schedule/updates=loss_limit", "schedule.updates.limit=1.0",
    "schedule.steps=400", "schedule.evaluate_every=40", "schedule.max_d_steps=700",
)  # fmt: skip


def test_a_limit_on_losses_survives_a_kill_and_ends_the_run_by_discriminator_updates(tmp_path):
    """The rule's memory is in the checkpoint, and the run ends at its last discriminator update."""
    folders = [tmp_path / "whole", tmp_path / "killed"]
    text, _ = ganexp_process(*LIMITED, "hydra.run.dir=whole", cwd=tmp_path).communicate(timeout=200)
    process = ganexp_process(*LIMITED, "hydra.run.dir=killed", cwd=tmp_path)
    wait_for_step(folders[1], 90, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert ganexp_process("resume", "killed", cwd=tmp_path).wait(timeout=200) == 0
    whole, killed = (saved(folder) for folder in folders)
    for part in ("state_dict", "optimizer_states", "StreamData"):
        assert same(whole[part], killed[part]), part
    assert same(whole["ganexp"] | {"seconds": 0}, killed["ganexp"] | {"seconds": 0})
    steps, d_steps = whole["ganexp"]["step"], whole["ganexp"]["d_steps"]
    assert 700 <= d_steps < 705
    assert steps < d_steps < 5 * steps, text  # both kinds of step were taken
    assert losses(folders[0])[-1]["step"] == steps
    assert (folders[0] / "samples" / f"step-{steps:07d}.png").exists()
    assert json.loads((folders[0] / "run.json").read_text())["scores"]["last"]["step"] == steps
    refused = ganexp("resume", "whole", "schedule.steps=480", cwd=tmp_path, check=False)
    assert "ends after schedule.max_d_steps=700" in refused.stderr


def test_a_run_that_was_killed_at_its_end_takes_no_further_step(tmp_path):
    ganexp(*LIMITED, "hydra.run.dir=run", cwd=tmp_path)
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    before = saved(tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text(json.dumps(facts | {"status": "running"}))
    ganexp("resume", "run", cwd=tmp_path)
    after = saved(tmp_path / "run")
    assert same(before["state_dict"], after["state_dict"])
    assert before["ganexp"]["step"] == after["ganexp"]["step"]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "finished"
