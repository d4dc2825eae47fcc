"""Sweeps: their jobs, their table, and how a stopped sweep is resumed."""

import json
import re
import shutil
import signal
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from filelock import FileLock
from helpers.cli import ganexp, ganexp_process
from helpers.images import photo
from helpers.sweeps import FAST, QUICK, contents, jobs, run_directories, statuses, wait_until
from omegaconf import OmegaConf

from ganexp.callbacks.pruning import Pruning
from ganexp.cli import CONF
from ganexp.commands.sweeps.overrides import resumed_overrides
from ganexp.commands.sweeps.sweep import run_job
from ganexp.commands.sweeps.table import print_jobs
from ganexp.console import LOG
from ganexp.errors import UserError
from ganexp.runs.run_directory import RunDirectory

pytestmark = pytest.mark.slow

OVERRIDES = ("loss=hinge,wgan_gp", "seed=1,2", *FAST)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Run a sweep of four jobs once for this file; return the sweep's directory and the finished command."""
    cwd = tmp_path_factory.mktemp("sweep")
    done = ganexp("-m", *OVERRIDES, f"metrics.cache={cwd / 'cache'}", cwd=cwd)
    (path,) = (cwd / "outputs" / "sweep").iterdir()
    return path, done


def test_sweep_runs_every_combination(sweep):
    path, _ = sweep
    names = [f"{2 * a + b:02}-loss-{loss}_seed-{b + 1}" for a, loss in enumerate(("hinge", "wgan_gp")) for b in (0, 1)]
    assert run_directories(path) == names
    runs = [RunDirectory(path / name).metadata() for name in names]
    assert [run["groups"]["loss"] for run in runs] == ["hinge", "hinge", "wgan_gp", "wgan_gp"]
    assert all(run["status"] == "finished" for run in runs)
    outputs = path.parents[1]
    # A shell needs no quotes around these paths.
    assert all(re.fullmatch(r"[\w./+-]+", str((path / name).relative_to(outputs))) for name in names)


def test_sweep_json_has_only_what_the_sweep_is(sweep):
    path, _ = sweep
    content = json.loads((path / "sweep.json").read_text())
    assert set(content) == {"overrides", "directory", "started"}
    assert content["overrides"][: len(OVERRIDES)] == list(OVERRIDES)
    table = jobs(path)
    assert list(table) == run_directories(path)
    for job in table.values():
        assert job["status"] == "finished"
        assert job["objective"] == job["scores"]["best"][job["best_by"]]


def test_every_job_keeps_its_hydra_files(sweep):
    path, _ = sweep
    for name in run_directories(path):
        overrides = OmegaConf.load(path / name / ".hydra" / "overrides.yaml")
        assert list(overrides) == RunDirectory(path / name).metadata()["overrides"]


def test_sweep_prints_its_table_and_how_to_resume(sweep):
    path, done = sweep
    short = f"outputs/sweep/{path.name}"
    assert f"sweep directory: {short}\n" in done.stdout
    assert f"resume it with: ganexp resume {short}\n" in done.stdout
    assert "loss=hinge seed=1" in done.stdout
    assert f"compare them with: ganexp report {short}\n" in done.stdout
    for line in ("dataset: 1,438 images", f"watch the curves with: tensorboard --logdir {short}\n"):
        assert done.stdout.count(line) == 1
    assert done.stdout.count("length: 4 steps") == 2  # once for each loss: the numbers of epochs differ


def test_table_shows_own_overrides_and_no_spreads(capsys):
    info = {"fid_x": {"higher_is_better": False}, "fid_x_spread": {"spread_of": "fid_x"}}
    table = {}
    for number, fid in enumerate((2.0, 1.0)):
        table[str(number)] = {
            "overrides": ["loss=hinge", f"seed={number}", f"lr=0.1234567890{number}e-05"],
            "status": "finished",
            "objective": fid,
            "scores": {"best": {"step": 12345, "fid_x": fid, "fid_x_spread": 0.123}},
            "score_info": info,
            "error": "of an earlier attempt",
        }
    table["2"] = {"overrides": ["loss=hinge"], "status": "failed", "error": "why"}
    print_jobs(table)
    printed = capsys.readouterr().out
    assert "seed=1 lr=1.23457e-06" in printed
    assert "\nbest: seed=1 lr=1.23457e-06\n" in printed
    assert "loss=hinge" not in printed
    assert "12,345" in printed
    assert "0.123" not in printed
    assert "earlier attempt" not in printed
    assert "failed: (no overrides)\n  why\n" in printed


@pytest.mark.parametrize(("key", "value"), [("protocol", {"id": "another"}), ("best_by", "kid_x")])
def test_best_job_is_named_if_all_are_scored_alike(capsys, key, value):
    jobs = {name: {"status": "finished", "objective": fid} for name, fid in (("a", 2.0), ("b", 1.0))}
    jobs["b"]["overrides"] = ["data.path=/v1.12345678/x"]
    print_jobs(jobs)
    assert capsys.readouterr().out.endswith("\nbest: data.path=/v1.12345678/x\n")
    jobs["a"][key] = value
    print_jobs(jobs)
    assert "best:" not in capsys.readouterr().out


def test_table_names_jobs_without_overrides_by_directory(capsys):
    print_jobs({"00-a": {"status": "died"}, "01-b": {"status": "finished", "overrides": ["loss=hinge"]}})
    printed = capsys.readouterr().out
    assert "died: 00-a\n  its process is gone" in printed
    assert "loss=hinge" in printed


def test_table_has_names_with_brackets(capsys):
    """Brackets of lists and paths, and names between colons, are not rich's markup."""
    names = ["loss/modifier=[replay]", "loss/modifier=[flipped_labels,replay]", "data.path=a [/b] :x:"]
    LOG.kept.clear()
    print_jobs({name: {"status": "finished", "overrides": [name]} for name in names})
    for text in (capsys.readouterr().out, "".join(LOG.kept)):
        assert all(name in text for name in names)


def test_failing_job_is_named_and_the_others_run(tmp_path):
    arguments = ("schedule.batch_size=9999,16", "seed=1", *QUICK, "hydra.sweep.dir=swept")
    done = ganexp("-m", *arguments, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "job failed: schedule.batch_size=9999 seed=1" in done.stderr
    assert "use schedule.batch_size=1438 or less" in done.stderr
    assert "1 of 2 jobs failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert "failed: schedule.batch_size=9999\n  schedule.batch_size=9999 is more than" in done.stdout
    bad, good = jobs(tmp_path / "swept").values()
    assert (bad["status"], good["status"]) == ("failed", "finished")
    assert "1438 or less" in bad["error"]
    assert bad["overrides"][0] == "schedule.batch_size=9999"
    assert "error" not in good
    refused, trained = (tmp_path / "swept" / name for name in jobs(tmp_path / "swept"))
    assert not (refused / "config.yaml").exists()  # so this job has no row in a report
    assert (trained / "config.yaml").exists()
    reported = ganexp("report", "swept", cwd=tmp_path).stdout
    reason = "it failed before its training began: schedule.batch_size=9999 is more than"
    assert f"skipped {refused.name}: {reason}" in reported
    assert "not included in any mean: 1 of 2 runs" in reported
    wrong = ganexp("evaluate", f"ckpt=swept/{refused.name}", cwd=tmp_path, check=False)
    assert "no such checkpoint" in wrong.stderr
    assert "This run has failed: schedule.batch_size=9999 is more than" in wrong.stderr


def test_wrong_option_ends_a_sweep_without_a_directory(tmp_path):
    done = ganexp("-m", "loss=hinge,wgann", *QUICK, cwd=tmp_path, check=False)
    assert done.stdout == ""
    assert "Did you mean loss=wgan " in done.stderr
    assert not list(tmp_path.iterdir())


def test_failure_is_not_recorded_in_a_run_that_another_process_trains(tmp_path):
    run = RunDirectory(tmp_path / "job")
    run.path.mkdir()
    run.update_metadata(status="running")
    OmegaConf.save({}, run.config)
    with FileLock(run.path / ".lock"):
        assert run_job(str(run.path), OmegaConf.create(), ["seed=1"], lambda: None) is None
    assert run.metadata() == {"status": "running"}


@pytest.mark.parametrize("arguments", [["loss=hinge,hing", "seed=1,2"], ["loss=hinge,hing", "hydra.sweep.dir=swept"]])
def test_wrong_option_stops_the_sweep_before_it_starts(tmp_path, arguments):
    done = ganexp("-m", *arguments, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "Did you mean loss=hinge?" in done.stderr
    assert not list(tmp_path.iterdir())


def test_sweep_without_jobs_leaves_nothing(tmp_path):
    done = ganexp("-m", "loss=glob(nothing*)", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "The sweep has no jobs. Check that every glob(…) matches at least one option." in done.stderr
    assert not list(tmp_path.iterdir())


def test_killed_sweep_resumes_and_leaves_finished_jobs_alone(tmp_path):
    swept = tmp_path / "swept"
    process = ganexp_process("-m", "seed=range(4)", *QUICK, "hydra.sweep.dir=swept", cwd=tmp_path)
    wait_until(lambda: statuses(swept).count("finished") > 0)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = [name for name, job in jobs(swept).items() if job["status"] == "finished"]
    assert 0 < len(finished) < 4
    before = contents(swept, finished)
    done = ganexp("-m", "sweep.resume=swept", cwd=tmp_path)  # the flag -m is allowed
    assert statuses(swept) == ["finished"] * 4
    assert run_directories(swept) == [f"{seed:02}-seed-{seed}" for seed in range(4)] == list(jobs(swept))
    assert contents(swept, finished) == before
    assert done.stdout.count("run directory:") == 4 - len(finished)
    assert done.stdout.count("already finished: ") == len(finished)


def test_broken_jobs_are_resumed_or_started_again(sweep, tmp_path):
    swept = shutil.copytree(sweep[0], tmp_path / "swept")
    names = run_directories(swept)
    killed, just_created, missing, finished = (RunDirectory(swept / name) for name in names)
    killed.update_metadata(status="running")
    just_created.metadata_file.write_text("")
    just_created.config.unlink()
    shutil.rmtree(missing.path)
    before = contents(swept, [finished.path.name])
    ganexp("resume", "swept", cwd=tmp_path)
    assert statuses(swept) == ["finished"] * 4
    assert len(killed.metadata()["resumed"]) == 1
    assert just_created.config.exists()
    assert missing.last.exists()
    assert contents(swept, [finished.path.name]) == before
    assert run_directories(swept) == names


def test_refused_jobs_start_again_with_their_paths_if_resumed_in_another_directory(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    images = ("data=folder", "data.path=a,b", "data.root=roots", "data.resolution=8", "data.channels=1", "model=mlp")
    small = (*QUICK, "schedule.batch_size=4", "trainer=cpu", "hydra.sweep.dir=swept")
    ganexp("-m", *images, *small, cwd=here, check=False)
    assert statuses(here / "swept") == ["failed"] * 2
    assert all("no such directory or zip" in job["error"] for job in jobs(here / "swept").values())
    first, second = run_directories(here / "swept")
    shutil.rmtree(here / "swept" / first)
    for place in (here, there):
        for name in ("a", "b"):
            for number in range(8):
                photo(place / name / f"{number}.png", (8, 8))
    ganexp("resume", "../here/swept", cwd=there)
    assert statuses(here / "swept") == ["finished"] * 2
    assert run_directories(here / "swept") == [first, second]
    configs = [OmegaConf.load(here / "swept" / name / "config.yaml") for name in (first, second)]
    assert [cfg.data.path for cfg in configs] == [str(here / "a"), str(here / "b")]
    assert [cfg.data.root for cfg in configs] == [str(here / "roots")] * 2

    moved = here.rename(tmp_path / "moved")
    shutil.rmtree(moved / "swept" / first)
    ganexp("resume", "swept", cwd=moved)
    assert OmegaConf.load(moved / "swept" / first / "config.yaml").data.path == str(moved / "a")


@pytest.mark.parametrize(
    ("stored", "given", "message"),
    [
        ([], ["seed=3"], "seed=3: a resumed sweep keeps its own jobs"),
        ([], ["~schedule"], "~schedule: a resumed sweep keeps its own jobs"),
        (["hydra.launcher.setup=[evil]"], [], "is not a valid override of a stored sweep"),
        (["loss.adversarial._target_=os.system"], [], "is not part of ganexp"),
        (["+loss.penalties={x: {_target_: os.system}}"], [], "is not part of ganexp"),
        (["hydra.sweeper.custom_search_space=os.system"], [], "is not part of ganexp"),
        (["--config-dir=/evil"], [], "is not a valid override of a stored sweep"),
        (["loss.adversarial._target_=ganexp.losses.adversarial.Hinge,os.system"], [], "is not part of ganexp"),
        (["+loss.penalties={x: {_target_: ganexp.losses.penalties.R1}, y: {_target_: os.system}}"], [], "not part of"),
        (
            ["hydra.sweeper.params={loss.adversarial._target_: 'ganexp.losses.adversarial.Hinge,os.system'}"],
            [],
            "part of",
        ),
        (["loss.adversarial._target_=${name}", "name=os.system"], [], "its value is not known"),
        (["loss.adversarial=${oc.decode:'{_tar${x}get_: os.system}'}"], [], "its value is not known"),
        (["loss.adversarial=${ oc.create:${y}}"], [], "its value is not known"),
        (["seed=1,2", "hydra.sweep.subdir=../x"], [], "leaves the directory of the sweep"),
        (["seed=1,2", "hydra.sweep.subdir=/tmp/${seed}"], [], "leaves the directory of the sweep"),
        (["seed=1,2", "hydra.sweep.subdir=../x/${hydra.job.num}"], [], "leaves the directory of the sweep"),
        (["loss=../../evil"], [], "it may name a file outside of"),
        (["loss=hinge,'../evil'"], [], "it may name a file outside of"),
        (["callbacks=[progress,${name}]"], [], "it may name a file outside of"),
        (["+../evil@callbacks=x"], [], "it may name a file outside of"),
        (["+hydra.sweeper.params={loss: ../evil}"], [], "it may name a file outside of"),
        (["+hydra.sweeper.params.loss=../evil"], [], "it may name a file outside of"),
        (["+hydra.sweeper.params={hydra.output_subdir: x}"], [], "is not a valid override of a stored sweep"),
        (["logger.mlflow.tracking_uri=http://x.org"], [], "MLFLOW_TRACKING_URI=http://x.org ganexp"),
    ],
)
def test_resumed_sweep_refuses_unsafe_overrides(tmp_path, stored, given, message):
    (tmp_path / "sweep.json").write_text(json.dumps({"overrides": stored}))
    done = ganexp("sweep.resume=.", *given, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["sweep.json"]


@pytest.mark.parametrize(
    "override",
    [
        *("data.path=../images", "loss=hinge,wgan_gp", "callbacks=[progress]"),
        *("+hydra.sweeper.params={data.path: ../a}", "+hydra.sweeper.params={init_from: ../a}"),
        *("init_from=../a/last.ckpt", "name=exp-${seed}", "tags=[a-${seed},..]", "seed=${oc.env:SEED}"),
    ],
)
def test_stored_override_of_a_plain_sweep_is_accepted(tmp_path, override):
    (tmp_path / "sweep.json").write_text(json.dumps({"overrides": [override, "seed=1,2"]}))
    assert override in resumed_overrides(str(tmp_path), [], [CONF])


@pytest.mark.parametrize("folder", [None, "mine"])
def test_stored_option_of_an_own_group_stays_in_the_configs(tmp_path, folder):
    """The override sets a group only if the directory with the user's own config files has the group."""
    (tmp_path / "mine" / "own").mkdir(parents=True)
    (tmp_path / "sweep.json").write_text(json.dumps({"overrides": ["+own=../../evil"]}))
    folders = [CONF] if folder is None else [CONF, tmp_path / folder]
    with nullcontext() if folder is None else pytest.raises(UserError, match="outside of"):
        assert "+own=../../evil" in resumed_overrides(str(tmp_path), [], folders)


def test_sweep_whose_check_fails_runs_no_job(tmp_path, monkeypatch):
    """If a callback raises an Exception, Hydra only prints a warning, and would run the unchecked jobs."""

    def broken(config):
        raise ZeroDivisionError

    monkeypatch.setattr("ganexp.commands.sweeps.sweep.check_jobs", broken)
    done = ganexp("-m", "seed=1,2", *QUICK, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "[]", '{"started": ""}'])
def test_resume_refuses_a_broken_sweep_json(tmp_path, text):
    (tmp_path / "sweep.json").write_text(text)
    done = ganexp("sweep.resume=.", cwd=tmp_path, check=False)
    assert "sweep.json is damaged, or was not written by ganexp" in done.stderr


def test_sweep_directory_belongs_to_one_sweep(sweep, tmp_path):
    shutil.copytree(sweep[0], tmp_path / "swept")
    done = ganexp("-m", "seed=0,2", *QUICK, "hydra.sweep.dir=swept", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "has another sweep: loss=hinge,wgan_gp seed=1,2" in done.stderr
    with FileLock(tmp_path / "swept" / ".lock"):
        done = ganexp("sweep.resume=swept", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "another process is running this sweep" in done.stderr
    assert statuses(tmp_path / "swept") == ["finished"] * 4


def test_job_that_is_worse_than_the_median_is_pruned(tmp_path):
    swept = tmp_path / "swept"
    rates = "optimizer.generator.lr=0.005,0.004,0.003,0.0"
    done = ganexp("-m", rates, *FAST, "sweep.prune=true", "hydra.sweep.dir=swept", cwd=tmp_path)
    assert statuses(swept) == ["finished"] * 3 + ["pruned"]
    assert "pruned at step 2: fid_classifier" in done.stdout
    pruned = RunDirectory(swept / run_directories(swept)[-1])
    assert pruned.metadata()["status"] == "pruned"
    assert max(point["step"] for point in pruned.points()) == 2
    pruned.update_metadata(status="running")  # as if the job was killed after its last checkpoint
    ganexp("resume", str(pruned.path), cwd=tmp_path)
    assert pruned.metadata()["status"] == "pruned"
    before = contents(swept, [pruned.path.name])
    assert "is pruned: nothing to do" in ganexp("resume", str(pruned.path), cwd=tmp_path).stdout
    composed = OmegaConf.load(pruned.path / ".hydra" / "config.yaml")
    run_job(str(pruned.path), composed, pruned.metadata()["overrides"], pytest.fail)  # as in a resumed sweep
    assert contents(swept, [pruned.path.name]) == before
    ganexp("resume", str(pruned.path), "schedule.steps=4", cwd=tmp_path)
    metadata = pruned.metadata()
    assert (metadata["status"], metadata["scores"]["last"]["step"]) == ("finished", 4)


@pytest.mark.parametrize(
    ("others", "own", "mode", "stopped"),
    [
        ([1, 2, 3], 4, "min", True),
        ([1, 2, 3], 2, "min", False),  # as good as the median
        ([1, 2], 4, "min", False),  # too few other jobs
        ([3, 4, 5], 3, "max", True),
        ([3, 4, 5], 5, "max", False),
        ([1, 2, None], 4, "min", False),  # one job has no score at this step
    ],
)
@pytest.mark.parametrize("levels", [1, 2])  # levels of hydra.sweep.subdir
def test_pruning_follows_the_median_rule(tmp_path, others, own, mode, stopped, levels):
    (tmp_path / "sweep.json").touch()
    for number, score in enumerate([*others, own]):
        run = RunDirectory(tmp_path / "/".join([str(number)] * levels))
        run.path.mkdir(parents=True)
        run.update_metadata(status="finished" if number < len(others) else "running")
        step = 20 if score is None else 10
        run.metrics.write_text(json.dumps({"step": step, "score/fid_x": score or 1}) + "\n")
    pruning = Pruning(run, "fid_x", mode)
    trainer = SimpleNamespace(should_stop=False)
    pruning.on_train_epoch_end(trainer, SimpleNamespace(step=10, is_done=False))
    assert trainer.should_stop == pruning.stopped == stopped


def test_single_run_is_not_pruned_by_other_runs(tmp_path):
    for rate in (0.005, 0.004, 0.003, 0.0):
        words = (f"optimizer.generator.lr={rate}", "sweep.prune=true", f"hydra.run.dir=runs/{rate}")
        done = ganexp(*FAST, *words, cwd=tmp_path)
    assert RunDirectory(tmp_path / "runs" / "0.0").metadata()["status"] == "finished"
    assert "sweep.prune=true has no effect: this run is not a job of a sweep" in done.stdout


def test_pruning_ignores_jobs_with_another_protocol(tmp_path):
    (tmp_path / "sweep.json").touch()
    for number, (protocol, score) in enumerate([("a", 5), ("a", 6), ("a", 7), ("b", 60)]):
        run = RunDirectory(tmp_path / str(number))
        run.path.mkdir()
        run.update_metadata(status="running" if protocol == "b" else "finished", protocol={"id": protocol})
        run.metrics.write_text(json.dumps({"step": 10, "score/fid_x": score}) + "\n")
    pruning = Pruning(run, "fid_x", "min")
    trainer = SimpleNamespace(should_stop=False)
    for others_of_own_protocol in range(4):
        pruning.on_train_epoch_end(trainer, SimpleNamespace(step=10, is_done=False))
        assert trainer.should_stop == (others_of_own_protocol == 3)
        RunDirectory(tmp_path / str(others_of_own_protocol)).update_metadata(protocol={"id": "b"})


def cases(article):
    """Return the experiments of an article."""
    return {f"{article}/{file.stem}" for file in (CONF / "experiment" / article).glob("*.yaml")}


LOSSES = {file.stem for file in (CONF / "loss").glob("*.yaml")} - {"began"}  # began needs an auto-encoder


@pytest.mark.parametrize(
    ("preset", "key", "values"),
    [
        ("losses", "loss", LOSSES),
        ("seeds", "seed", {"range(5)"}),
        ("sagan_cifar10", "experiment", {f"sagan/cifar10_{case}" for case in range(8)}),
        ("lr_scaling", "experiment", {f"sagan/lr_scaling_{case}" for case in range(4)}),
        ("sagan_stl10", "experiment", {f"sagan/stl10_{case}" for case in range(3)}),
        ("gan_lib", "experiment", cases("gan_lib")),
        ("sngan_koshian2", "experiment", cases("sngan_koshian2")),
    ],
)
def test_presets_name_every_case(preset, key, values):
    hydra = OmegaConf.load(CONF / "sweep" / f"{preset}.yaml").hydra
    assert set(hydra.sweeper.params[key].replace(" ", "").split(",")) == values


@pytest.mark.parametrize("preset", sorted(file.stem for file in (CONF / "sweep").glob("*.yaml")))
def test_preset_is_a_sweep_of_options_that_exist(preset):
    hydra = OmegaConf.load(CONF / "sweep" / f"{preset}.yaml").hydra
    assert set(hydra) == {"sweeper"}  # Hydra 1.4 refuses hydra.mode here
    for group, values in hydra.sweeper.params.items():
        if (CONF / group).is_dir():
            options = values.replace(" ", "").split(",")
            assert all((CONF / group / f"{option}.yaml").exists() for option in options)


def test_preset_is_a_sweep_without_the_flag(tmp_path):
    described = json.loads(ganexp("describe", "sweep=seeds", cwd=tmp_path).stdout)["jobs"]
    assert [job["seed"] for job in described] == list(range(5))
    assert not any("error" in job for job in described)
    assert not list(tmp_path.iterdir())


def test_preset_combines_with_overrides(tmp_path):
    done = ganexp("describe", "-m", "sweep=losses", "seed=1,2", "loss=hinge,wgan", cwd=tmp_path)
    described = json.loads(done.stdout)["jobs"]
    assert [job["loss"]["name"] for job in described] == ["Hinge", "Hinge", "Wasserstein", "Wasserstein"]
    assert [job["seed"] for job in described] == [1, 2, 1, 2]


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("model.discriminator.dropout=0,2", "model.discriminator.dropout=2"),
        ("metrics.splits=10,9000", "is needs 18000 generated images or more, 2 in each of the splits (splits=9000)"),
    ],
)
def test_describe_sweep_reports_a_job_that_cannot_run(tmp_path, override, reason):
    done = ganexp("describe", "-m", override, cwd=tmp_path, check=False)
    assert done.returncode == 1
    good, bad = json.loads(done.stdout)["jobs"]
    assert "error" not in good
    assert reason in bad["error"]
    assert 'some jobs cannot run: see "error"' in done.stderr
