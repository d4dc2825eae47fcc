"""A run that was killed and resumed ends with the same bits as an undisturbed run.

Evaluations change no bit of a training.
"""

import json
import shutil
import signal
import uuid

import pytest
import torch
from helpers.caches import caches_of_tests
from helpers.cli import ganexp, ganexp_process
from helpers.config import TINY, config
from helpers.states import WITH_STATE, last_checkpoint, logged_points, same_state, wait_for_step
from omegaconf import OmegaConf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ganexp.commands.resume import lengthen
from ganexp.errors import UserError

pytestmark = pytest.mark.slow

NARROW = ("model.generator.hidden=[16,16]", "model.discriminator.hidden=[16,16]")
WORDS = (
    "schedule.steps=80",
    *WITH_STATE,
    *NARROW,
    "schedule/lr_decay=linear",
    "callbacks=[sample_grids,discriminator_logits,interpolations,progress]",  # no curves: drawing them takes long
    "metrics.grid_columns=2",
    "trainer=cpu",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Train a run without interruptions, and return the run directory."""
    cwd = tmp_path_factory.mktemp("whole")
    with caches_of_tests(tmp_path_factory):
        ganexp(*WORDS, "hydra.run.dir=run", cwd=cwd)
    return cwd / "run"


ENDLESS = (*TINY, "trainer=cpu", "schedule.steps=100000", "schedule.evaluate_every=50000")


def test_run_killed_twice_ends_with_the_same_bits(whole, tmp_path):
    folder = tmp_path / "run"
    for attempt in range(2):
        words = (*WORDS, "hydra.run.dir=run") if attempt == 0 else ("resume", "run")
        process = ganexp_process(*words, cwd=tmp_path)
        wait_for_step(folder, 25 + 20 * attempt, process)  # after a checkpoint, between two evaluations
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert json.loads((folder / "run.json").read_text())["status"] == "running"
    process = ganexp_process("resume", "run", cwd=tmp_path)
    text, _ = process.communicate(timeout=200)
    assert process.returncode == 0, text

    ours, undisturbed = last_checkpoint(folder), last_checkpoint(whole)
    for part in ("state_dict", "optimizer_states", "StreamData"):
        assert same_state(ours[part], undisturbed[part]), part
    assert ours["ganexp"]["step"] == 80
    assert logged_points(folder) == logged_points(whole)
    facts = json.loads((folder / "run.json").read_text())
    assert facts["status"] == "finished"
    assert len(facts["resumed"]) == 2
    assert facts["scores"] == json.loads((whole / "run.json").read_text())["scores"]
    assert {p.name for p in (folder / "samples").iterdir()} == {p.name for p in (whole / "samples").iterdir()}
    assert {p.name for p in (folder / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    steps = [event.step for event in read_events(folder).Scalars("3 loss/generator")]
    assert steps == list(range(10, 81, 10))


def test_run_that_is_training_is_left_alone(tmp_path):
    process = ganexp_process(*ENDLESS, "hydra.run.dir=run", cwd=tmp_path)
    wait_for_step(tmp_path / "run", 1, process)
    refused = ganexp("resume", "run", cwd=tmp_path, check=False)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert refused.returncode == 1
    assert "another process is training this run" in refused.stderr


def test_run_killed_after_its_last_checkpoint(whole, tmp_path):
    """All steps are done, but pictures and final scores are missing."""
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
    assert same_state(last_checkpoint(folder)["state_dict"], last_checkpoint(whole)["state_dict"])


def test_run_killed_before_its_first_checkpoint(whole, tmp_path):
    process = ganexp_process(*WORDS, "hydra.run.dir=run", cwd=tmp_path)
    wait_for_step(tmp_path / "run", 10, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for checkpoint in (tmp_path / "run" / "checkpoints").glob("*"):
        checkpoint.unlink()
    ganexp("resume", "run", cwd=tmp_path)
    assert same_state(last_checkpoint(tmp_path / "run")["state_dict"], last_checkpoint(whole)["state_dict"])
    assert logged_points(tmp_path / "run") == logged_points(whole)
    steps = [event.step for event in read_events(tmp_path / "run").Scalars("1 score/fid_classifier")]
    assert steps == list(range(0, 81, 20))


LONGER = (
    *(*WORDS, "schedule.evaluate_every=4", "trainer.log_every=2", "schedule.lr_decay=null"),
    *("callbacks=[sample_grids,progress]", "metrics.samples=40"),
)


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """Train a run of 9 steps with an evaluation every 4 steps, and return the run directory."""
    cwd = tmp_path_factory.mktemp("long")
    with caches_of_tests(tmp_path_factory):
        ganexp(*LONGER, "schedule.steps=9", "hydra.run.dir=long", cwd=cwd)
    return cwd / "long"


@pytest.mark.parametrize("first", [3, 7, 8], ids=["in the first period", "in the second", "at its end"])
def test_finished_run_is_trained_longer(long, tmp_path, first):
    """A run that was made longer ends with the same bits as a run that had the new length from the start."""
    ganexp(*LONGER, f"schedule.steps={first}", "hydra.run.dir=run", cwd=tmp_path)
    run = tmp_path / "run"
    assert "schedule.steps=…" in ganexp("resume", "run", cwd=tmp_path).stdout
    refused = ganexp("resume", "run", f"schedule.steps={first - 1}", cwd=tmp_path, check=False)
    assert f"this run is set to {first} steps already. Give a larger number" in refused.stderr
    assert refused.returncode == 1
    ganexp("resume", "run", "schedule.steps=9", cwd=tmp_path)
    assert last_checkpoint(run)["ganexp"]["step"] == 9
    assert same_state(last_checkpoint(run)["state_dict"], last_checkpoint(long)["state_dict"])
    at_its_first_end = [] if first % 4 == 0 else [first]  # the run was also evaluated at this step
    kept = [point for point in logged_points(run) if point["step"] not in at_its_first_end]
    assert kept == logged_points(long)
    assert (run / "config.yaml").read_text() == (long / "config.yaml").read_text()


def test_run_is_trained_longer_by_epochs(tmp_path):
    arguments = ("loss=hinge", "metrics=none", "callbacks=progress", "schedule.batch_size=719", "schedule.epochs=1")
    ganexp(*arguments, "schedule.evaluate_every=1", "hydra.run.dir=run", cwd=tmp_path)
    done = ganexp("resume", "run", "schedule.epochs=2", cwd=tmp_path)
    assert "schedule.epochs=2 means schedule.steps=4 for this run\n" in done.stdout
    assert last_checkpoint(tmp_path / "run")["ganexp"]["step"] == 4
    assert OmegaConf.load(tmp_path / "run" / "config.yaml").schedule.steps == 4


def test_moved_run_keeps_its_best_checkpoint(tmp_path):
    ganexp(*LONGER, "schedule.steps=4", "hydra.run.dir=run", cwd=tmp_path)
    checkpoint = last_checkpoint(tmp_path / "run")
    (state,) = [state for state in checkpoint["callbacks"].values() if state.get("monitor") == "fid_classifier"]
    unbeaten = torch.tensor(-1.0)
    state |= {"best_model_score": unbeaten, "kth_value": unbeaten}
    state["best_k_models"] = dict.fromkeys(state["best_k_models"], unbeaten)
    torch.save(checkpoint, tmp_path / "run" / "checkpoints" / "last.ckpt")
    best = (tmp_path / "run" / "checkpoints" / "best.ckpt").read_bytes()
    (tmp_path / "run").rename(tmp_path / "moved")
    ganexp("resume", "moved", "schedule.steps=8", cwd=tmp_path)
    assert (tmp_path / "moved" / "checkpoints" / "best.ckpt").read_bytes() == best
    (state,) = [
        s for s in last_checkpoint(tmp_path / "moved")["callbacks"].values() if s.get("monitor") == "fid_classifier"
    ]
    assert list(state["best_k_models"]) == [str(tmp_path / "moved" / "checkpoints" / "best.ckpt")]
    assert not (tmp_path / "run").exists()


def test_run_with_decaying_rates_is_not_made_longer(whole):
    refused = ganexp("resume", str(whole), "schedule.steps=360", cwd=whole.parent, check=False)
    assert "fixed length of 80 steps" in refused.stderr
    assert "schedule.lr_decay" in refused.stderr


@pytest.mark.parametrize(
    ("overrides", "keys"),
    [
        (("augment=instance_noise",), "augment.instance_noise"),
        (("augment=instance_noise", "augment.instance_noise.end=0.5"), "augment.instance_noise"),
        (("augment=instance_noise", "schedule/lr_decay=linear"), "schedule.lr_decay, augment.instance_noise"),
        (("augment=instance_noise", "augment.instance_noise.end=0"), None),
        ((), None),
    ],
)
def test_run_that_depends_on_its_length_is_not_made_longer(overrides, keys):
    cfg = config(*TINY, "schedule.steps=300", *overrides)
    lengthen(cfg, 300)
    if keys is None:
        lengthen(cfg, 600)
        assert cfg.schedule.steps == 600
        return
    with pytest.raises(UserError, match=f"^schedule.steps=600: .* 300 steps, .*: {keys}. Train a new run with"):
        lengthen(cfg, 600)
    assert cfg.schedule.steps == 300


def test_length_that_no_config_may_have_is_refused():
    cfg = config(*TINY)
    steps = cfg.schedule.steps
    with pytest.raises(UserError, match=r"schedule\.steps=99999999999: must be at most 4,294,967,295"):
        lengthen(cfg, 99_999_999_999)
    assert cfg.schedule.steps == steps


def test_run_killed_before_its_record_is_complete_cannot_be_resumed(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("ganexp.commands.train.environment", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
        ganexp(*TINY, "hydra.run.dir=run", cwd=tmp_path, check=False)
    assert "it has no config.yaml" in ganexp("resume", "run", cwd=tmp_path, check=False).stderr


def test_network_with_a_layer_that_fades_fixes_the_length(monkeypatch):
    monkeypatch.setattr("ganexp.models.mlp._Trunk.set_progress", lambda self, progress: None, raising=False)
    with pytest.raises(UserError, match=r"model\.generator, model\.discriminator"):
        lengthen(config(*TINY, "model=mlp"), 10**6)


def read_events(folder):
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return events


def test_evaluation_leaves_training_bit_identical(tmp_path, monkeypatch):
    """Weights, losses and random state are the same, whatever is evaluated and however often."""
    base = [word for word in WORDS if not word.startswith(("schedule.evaluate_every", "schedule.steps", "metrics."))]
    narrow = ("metrics.extractor.network.width=4", "metrics.extractor.network.max_width=8")
    scored = ("metrics.samples=60", "metrics.extractor.updates=10", "metrics.grid_columns=2", *narrow)
    every_score = "metrics/score=[is,fid,accuracy,kid,neighbours,diversity,fid_interval,fid_infinity,intra_fid]"
    callbacks = "callbacks=[sample_grids,discriminator_logits,interpolations,resources,guard,progress]"
    all_of_it = (every_score, callbacks, "metrics.references=[train,test]", "schedule.evaluate_every=20")
    runs = {
        "none": ("metrics=none", "callbacks=none", "schedule.evaluate_every=20"),
        "often": (*scored, "callbacks=[sample_grids,guard]", "schedule.evaluate_every=8"),
        "everything": (*scored, *all_of_it),
        "without_step_0": (*scored, "callbacks=curves", "schedule.evaluate_every=10"),
    }
    for name, overrides in runs.items():
        if name == "without_step_0":
            monkeypatch.setattr("ganexp.training.trainer.validate", lambda *args: None)
        log = "trainer.log_every=4"
        ganexp(*base, "schedule.steps=20", log, *overrides, f"hydra.run.dir={name}", cwd=tmp_path)
    assert not [point for point in logged_points(tmp_path / "without_step_0") if point["step"] == 0]
    reference = last_checkpoint(tmp_path / "none")
    curve = [point for point in logged_points(tmp_path / "none") if "loss/generator" in point]
    assert len(curve) == 5
    for name in runs:
        checkpoint = last_checkpoint(tmp_path / name)
        for part in ("state_dict", "optimizer_states", "StreamData"):
            assert same_state(reference[part], checkpoint[part]), (name, part)
        assert same_state(reference["callbacks"]["RandomState"], checkpoint["callbacks"]["RandomState"]), name
        assert [point for point in logged_points(tmp_path / name) if "loss/generator" in point] == curve


def test_seeds_repeat_and_differ(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        ganexp(*TINY, "schedule.steps=2", f"seed={seed}", f"hydra.run.dir={name}", cwd=tmp_path)
    a, b, c = (last_checkpoint(tmp_path / name)["state_dict"] for name in "abc")
    assert same_state(a, b)
    assert not same_state(a, c)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_run_says_how_to_resume(tmp_path, number):
    process = ganexp_process(*ENDLESS, "hydra.run.dir=run", cwd=tmp_path)
    wait_for_step(tmp_path / "run", 1, process)
    process.send_signal(number)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "ganexp resume run" in text
    assert "Traceback" not in text
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"


def test_files_of_a_killed_process_are_removed(tmp_path):
    """Temporary files of the killed process are removed, but not those that another command may be writing now."""
    ganexp(*TINY, "trainer=cpu", "trainer.max_time=00:00:00:00", "hydra.run.dir=run", cwd=tmp_path)
    run = tmp_path / "run"
    names = ("config.yaml", "run.json", "metrics.jsonl", "metrics.csv", "curves.png", "checkpoints/last.ckpt")
    left = [name_of_temporary(run / name) for name in (*names, "checkpoints/best.ckpt", "checkpoints/step-2.ckpt")]
    kept = [name_of_temporary(run / "scores.json"), run / "checkpoints" / ".own.ckpt", run / "checkpoints" / "own.ckpt"]
    for file in left + kept:
        file.touch()
    ganexp("resume", "run", cwd=tmp_path)
    assert [file for file in left if file.exists()] == []
    assert [file for file in kept if not file.exists()] == []


def name_of_temporary(path):
    """Return the path of the temporary file of a process that replaces the file at `path`."""
    return path.with_name(f".{path.stem}-{uuid.uuid4().hex}{path.suffix}")


LIMITED = (
    *(word for word in WORDS[2:] if word not in NARROW),  # with wide networks, some steps have one update, some five
    "loss=hinge",
    "loss.n_critic=1",
    "schedule/updates=loss_limit",
    "schedule.updates.limit=0.7",
    "schedule.steps=80",
    "schedule.evaluate_every=20",
    "schedule.max_d_steps=70",
)


@pytest.fixture(scope="module")
def limited(tmp_path_factory):
    """Train a run that ends by discriminator updates, and return the run directory."""
    cwd = tmp_path_factory.mktemp("limited")
    with caches_of_tests(tmp_path_factory):
        ganexp(*LIMITED, "hydra.run.dir=whole", cwd=cwd)
    return cwd / "whole"


def test_loss_limit_resumes_and_ends_by_discriminator_updates(limited, tmp_path):
    """The checkpoint holds the state of the update rule, and the run ends when schedule.max_d_steps is reached."""
    folders = [limited, tmp_path / "killed"]
    process = ganexp_process(*LIMITED, "hydra.run.dir=killed", cwd=tmp_path)
    wait_for_step(folders[1], 25, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert ganexp_process("resume", "killed", cwd=tmp_path).wait(timeout=200) == 0
    whole, killed = (last_checkpoint(folder) for folder in folders)
    for part in ("state_dict", "optimizer_states", "StreamData"):
        assert same_state(whole[part], killed[part]), part
    assert same_state(whole["ganexp"] | {"seconds": 0}, killed["ganexp"] | {"seconds": 0})
    steps, d_steps = whole["ganexp"]["step"], whole["ganexp"]["d_steps"]
    assert 70 <= d_steps < 75
    assert {group["lr"] for state in killed["optimizer_states"] for group in state["param_groups"]} == {0}
    assert steps < d_steps < 5 * steps  # some steps had one discriminator update, and some had five
    assert logged_points(folders[0])[-1]["step"] == steps
    assert (folders[0] / "samples" / f"step-{steps:07d}.png").exists()
    assert json.loads((folders[0] / "run.json").read_text())["scores"]["last"]["step"] == steps
    for length in ("schedule.steps=360", "schedule.epochs=9"):
        refused = ganexp("resume", "whole", length, cwd=limited.parent, check=False)
        assert f"{length}: this run ends after schedule.max_d_steps=70" in refused.stderr


def test_run_killed_at_its_end_takes_no_further_step(limited, tmp_path):
    shutil.copytree(limited, tmp_path / "run")
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    before = last_checkpoint(tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text(json.dumps(facts | {"status": "running"}))
    ganexp("resume", "run", cwd=tmp_path)
    after = last_checkpoint(tmp_path / "run")
    assert same_state(before["state_dict"], after["state_dict"])
    assert before["ganexp"]["step"] == after["ganexp"]["step"]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "finished"
