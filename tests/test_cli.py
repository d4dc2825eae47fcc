"""The command line as a user meets it: dispatch, help, completion and errors."""

import json
import os
import subprocess
import sys
import time

import pytest
import torch
from helpers.cli import ganexp
from helpers.speed import cpu_seconds
from omegaconf import OmegaConf

import ganexp as package
from ganexp import cli
from ganexp.arguments import COMMANDS

pytestmark = pytest.mark.slow

OWN_LOSS = "adversarial: {_target_: ganexp.losses.LeastSquares}\n"


@pytest.fixture
def own_configs(tmp_path):
    """Return a function that writes a config file into the directory `mine`."""

    def write(name: str, text: str) -> None:
        file = tmp_path / "mine" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    return write


def test_help_answers_quickly_without_torch(tmp_path):
    command = [sys.executable, "-m", "ganexp", "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    hydra = (sys.executable, "-c", "import hydra, omegaconf")  # a third of a second on a slow machine
    assert any(cpu_seconds(*command) < 4 * cpu_seconds(*hydra) for _ in range(3))  # other work may disturb a comparison
    for command in COMMANDS:
        assert f"\n  {command} " in done.stdout
    assert "\n  loss: began, cramer, hinge, " in done.stdout
    assert "base" not in done.stdout  # folders called base have files that options share
    assert 'eval "$(ganexp -sc install=bash)"' in done.stdout
    code = "import sys; from ganexp import cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert not list(tmp_path.iterdir())


def test_help_can_be_cut_short(tmp_path):
    command = f"{sys.executable} -m ganexp train --help | head -1"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: ganexp")
    assert done.stderr == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help(tmp_path, command):
    before = time.process_time()
    text = ganexp(command, "--help", cwd=tmp_path).stdout
    assert time.process_time() - before < 1
    assert text.startswith("usage: ganexp ")
    assert "\nExamples\n  ganexp" in text
    assert "\n  --help, -h" in text or "\n  -h, --help" in text
    has_own_flags = command in ("train", "resume", "list", "report")
    assert has_own_flags or "--shell-completion" not in text
    assert not list(tmp_path.iterdir())


def test_help_lists_groups_and_settings(tmp_path, own_configs):
    own_configs("loss/quadratic.yaml", OWN_LOSS)
    text = ganexp("--help", "loss=hinge", "--config-dir", "mine", cwd=tmp_path).stdout
    (losses,) = [line for line in text.splitlines() if line.startswith("  loss: ")]
    assert "hinge" in losses
    assert "quadratic" in losses
    assert "hydra/" not in text
    assert text.index("\n  data: ") < text.index("\n  loss: ") < text.index("\n  as_published: ")
    settings = text.split("Settings (key=value; ??? stands for a value that must be given)\n")[1].split("\nFlags:")[0]
    assert OmegaConf.create(settings).loss.adversarial._target_ == "ganexp.losses.Hinge"


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("sample", "truncation: null  # "),
        ("evaluate", "  root: null  # "),
        ("describe", "estimate: false  # "),
        ("train", "  steps: 3000  # generator updates"),  # the comment of conf/schedule/default.yaml
        ("train", "  keep_scores: true  # "),  # the comment of the schema
    ],
)
def test_help_of_a_command_explains_its_settings(tmp_path, command, line):
    assert f"\n{line}" in ganexp(command, "--help", cwd=tmp_path).stdout


def test_help_of_evaluate_depends_on_what_is_scored(tmp_path):
    of_checkpoint = ganexp("evaluate", "--help", cwd=tmp_path).stdout
    assert "\nckpt: ???" in of_checkpoint
    assert "\n  metrics: " in of_checkpoint
    assert "\n  model: " not in of_checkpoint  # the model of the run is used
    assert of_checkpoint.count("\nsamples: ") + of_checkpoint.count("\n  samples: ") == 1
    assert "\n  samples: 10000" in ganexp("evaluate", "metrics=inception", "--help", cwd=tmp_path).stdout
    of_images = ganexp("evaluate", "images=a", "--help", cwd=tmp_path).stdout
    assert "\nimages: a  # a directory or zip" in of_images
    for text, first in ((of_checkpoint, "ckpt: ???"), (of_images, "images: a")):  # the main setting is first
        assert text.split("must be given)\n")[1].startswith(first)
    assert "\n  model: " in of_images


def test_help_refuses_an_unknown_override(tmp_path):
    done = ganexp("--help", "loss=hing", cwd=tmp_path, check=False)
    assert "Did you mean loss=hinge?" in done.stderr


def test_version_is_printed(tmp_path):
    assert ganexp("--version", cwd=tmp_path).stdout == f"ganexp {package.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["trian"], "unknown command 'trian'"),
        (["train", "--epochs=3"], "unrecognized arguments: --epochs=3"),
        (["describe", "loss"], "loss is not an override"),
        (["resume"], "the following arguments are required: RUN|SWEEP\n"),
        (["resume", "a", "schedule.steps=many"], "it accepts only schedule.steps=N"),
        (["resume", "a", "seed=1"], "it accepts only schedule.steps=N"),
        (["resume", "a", "--force"], "unrecognized arguments: --force"),
        (["report"], "the following arguments are required: DIRECTORY"),
        (["report", "output=a"], "give a directory that holds runs"),
        (["report", "a", "image=false"], "image=false is neither a directory nor one of output=, images="),
        (["report", "a", "images=no"], "use images=true or images=false"),
        (["report", "--bundle", "a", "b"], "--bundle needs exactly one run directory"),
        (["report", "a", "--zip"], "unrecognized arguments: --zip"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_command_line_of_the_wrong_form_exits_with_2(tmp_path, arguments, expected):
    done = ganexp(*arguments, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ganexp")
    assert expected in done.stderr
    assert not list(tmp_path.iterdir())


def test_hydra_flags_work_before_and_after_overrides(tmp_path, own_configs):
    own_configs("loss/quadratic.yaml", OWN_LOSS)
    done = ganexp("train", "loss=hinge", "--cfg", "job", "seed=7", cwd=tmp_path)
    cfg = OmegaConf.create(done.stdout)
    assert cfg.loss.adversarial._target_ == "ganexp.losses.Hinge"
    assert cfg.seed == 7
    for arguments in (("describe", "--config-dir", "mine"), ("--config-dir", "mine", "describe")):
        done = ganexp(*arguments, "loss=quadratic", cwd=tmp_path)
        assert json.loads(done.stdout)["loss"]["name"] == "LeastSquares"
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ganexp loss=hi", "loss=hinge"),
        ("ganexp describe model=", "model=dcgan"),
        ("ganexp schedule.st", "schedule.steps="),
        ("ganexp sample n", "n="),
        ("ganexp loss=hinge describe estim", "estimate="),
        ("ganexp  describe  estim", "estimate="),
        ("ganexp ev", "evaluate"),
        ("ganexp loss=hinge ", "describe"),
        ("ganexp experiment=sagan/ci", "experiment=sagan/cifar10_2"),
        ("ganexp -m experiment=sagan/cifar10_1,sagan/ci", "experiment=sagan/cifar10_1,sagan/cifar10_2"),
        ("ganexp -m loss=hinge,c", "loss=hinge,cramer"),
        ("ganexp init_from=o", "init_from=outputs/"),
        ("ganexp evaluate ckpt=outputs/", "ckpt=outputs/a.ckpt"),
        ("ganexp resume out", "outputs/"),
        ("ganexp report --bundle outputs/", "outputs/a.ckpt"),
        ("ganexp list lo", "loss/penalty"),
        ("ganexp list sa", "sagan"),
    ],
)
def test_completion_offers_options_of_the_command(tmp_path, monkeypatch, line, expected):
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setenv("COMP_POINT", str(len(line)))
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "a.ckpt").touch()
    assert expected in ganexp("-sc", "query=bash", cwd=tmp_path).stdout.split()


@pytest.mark.parametrize("line", ["ganexp resume with", "ganexp list no"])
def test_completion_leaves_the_rest_to_the_shell(tmp_path, monkeypatch, line):
    monkeypatch.setenv("COMP_LINE", line)
    (tmp_path / "with space").touch()
    done = ganexp("-sc", "query=bash", cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["los=hinge"], "los: there is no such setting.\n"),
        (["loss=hing"], "loss=hing: there is no such option.\nloss has: began, cramer, hinge,"),
        (["loss=hing"], "Did you mean loss=hinge?"),
        (["+loss=hing"], "Did you mean loss=hinge?"),
        (["trainer.gradient_clip_val=1"], "trainer.gradient_clip_val: Lightning cannot clip"),
        (["experiment=cifar10_2"], "Did you mean experiment=sagan/cifar10_2"),
        (["schedule/lr_decay=null"], "schedule/lr_decay has linear"),
        (["schedule/lr_decays=linear"], "Did you mean schedule/lr_decay"),
        (["loss=hinge", "loss.probabilities=true"], "loss.probabilities"),
        (["experiment=g_loss/cifar10_hinge", "as_published=g_loss"], "as_published=g_loss"),
        (["model=dcgan", "model.generator.hiden=1", "model.discriminator.wide=2"], "model.generator has: channels"),
        (["sample", "ckpt=a", "loss=hinge"], "Available settings: accelerator, ckpt, data, "),
        (["describe", "as_published=textbook", "model=sagan"], "choose one of its cases, experiment=textbook/gan, "),
        (["describe", "loss=hinge", "loss/auxiliary=class_head", "model=mlp"], "use model=dcgan"),
        (["schedul.steps=3"], "Did you mean schedule"),
        (["describe", "estimat=true"], "Did you mean estimate?"),
        (["evaluate", "cktp=a"], "Did you mean ckpt?"),
        (["sweep.resume=nowhere"], "sweep.resume=nowhere: this is not a sweep directory"),
        (["sweep.prune=true", "metrics=none"], "sweep.prune=true"),
        (["schedule.steps=many"], "schedule.steps=many: must be a whole number"),
        (["seed=abc"], "seed=abc: must be a whole number"),
        (["schedule.stepss=3"], "Did you mean schedule.steps"),
        (["data=folder"], "Missing value: data.path=…"),
        (["data=folder", "data.path=nowhere"], "no such directory or zip"),
        (["trainer=gpu"], "trainer.accelerator=gpu"),
        (["schedule.batch_size=5000", "metrics=none"], "use schedule.batch_size=1438 or less"),
        (["evaluate"], "Missing value: ckpt=…"),
        (["evaluate", "ckpt=nowhere"], "no such checkpoint"),
        (["evaluate", "ckpt=nowhere", "metrics.splits=4"], "metrics.splits=4: choose the metrics too"),
        (["sample", "ckpt=nowhere"], "no such checkpoint"),
        (["resume", "nowhere"], "nowhere is not a run directory"),
        (["report", "nowhere"], "nowhere"),
        (["--config-dir", "nowhere"], "nowhere' not found"),
        (["loss=hinge", "data=stl10"], "stl10_binary/train_X.bin"),
        (["data=fake", "metrics=inception"], "metrics.weights=FILE"),
        (["hydra.job.chdir=true"], "hydra.job.chdir=true: relative paths start from the working directory"),
        (["-m", "seed=1,2", "hydra.job.chdir=true"], "Leave hydra.job.chdir out."),
        (["evaluate", "ckpt=run", "hydra.job.chdir=true"], "Leave hydra.job.chdir out."),
        (
            ["evaluate", "ckpt=run", "--cfg", "job", "--resolve"],
            "--resolve: an evaluation takes values from",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistake_ends_in_a_few_lines(tmp_path, arguments, expected):
    if arguments == ["trainer=gpu"] and torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    done = ganexp(*arguments, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= (10 if "data=stl10" in arguments else 20)
    assert not list(tmp_path.iterdir())  # not even an empty directory


@pytest.mark.parametrize(("variable", "key"), [("GANEXP_CACHE", "metrics.cache"), ("GANEXP_DATA", "data.root")])
def test_empty_variable_is_no_place(tmp_path, monkeypatch, variable, key):
    monkeypatch.setenv(variable, "")
    shown = ganexp("--cfg", "job", "--resolve", cwd=tmp_path).stdout
    assert OmegaConf.select(OmegaConf.create(shown), key).startswith("~/.cache/ganexp")
    assert variable not in os.environ  # it is removed, so that all later code uses the default, too


@pytest.mark.parametrize("variable", ["HYDRA_FULL_ERROR", "GANEXP_TRACEBACK"])
def test_traceback_is_shown_if_asked_for(tmp_path, monkeypatch, variable):
    monkeypatch.setenv(variable, "1")
    with pytest.raises(Exception, match="Could not find 'loss/hing'"):
        ganexp("loss=hing", cwd=tmp_path)


@pytest.mark.parametrize(
    "error", [ValueError("a bug"), RuntimeError("\n".join(["a bug"] * 99)), OSError("a bug"), KeyError("a bug")]
)
def test_error_of_the_program_itself_is_explained(tmp_path, monkeypatch, error):
    def broken(*arguments):
        raise error

    monkeypatch.setitem(cli.TASKS, "describe", broken)
    done = ganexp("describe", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert f"{type(error).__name__}: " in done.stderr
    assert "a bug" in done.stderr
    assert "GANEXP_TRACEBACK=1 ganexp" in done.stderr
    assert len(done.stderr.splitlines()) <= 10
    monkeypatch.setenv("GANEXP_TRACEBACK", "1")
    with pytest.raises(type(error), match="a bug"):
        ganexp("describe", cwd=tmp_path)


def test_failed_run_of_the_program_itself_leaves_no_directory(tmp_path, monkeypatch):
    def broken(*arguments):
        raise ZeroDivisionError

    monkeypatch.setitem(cli.TASKS, "train", broken)
    assert "ZeroDivisionError: no message" in ganexp(cwd=tmp_path, check=False).stderr
    assert not list(tmp_path.iterdir())


def test_own_option_is_suggested(tmp_path, own_configs):
    own_configs("loss/quadratic.yaml", OWN_LOSS)
    done = ganexp("--config-dir", "mine", "loss=quadratc", cwd=tmp_path, check=False)
    assert "Did you mean loss=quadratic?" in done.stderr


def test_missing_files_are_not_explained_by_the_options(tmp_path):
    arguments = ("experiment=ac_wgan_gp/cifar10", "as_published=ac_wgan_gp", f"data.root={tmp_path}")
    done = ganexp(*arguments, cwd=tmp_path, check=False)
    assert "cifar-10-python.tar.gz" in done.stderr
    assert "model=dcgan" not in done.stderr
    assert "reproduces the code" not in done.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("defaults: [override /data: mnist]\n", "if its YAML begins with\n# @package _global_"),
        ("# @package _global_\nseed: [1\n", "case.yaml, line 3: "),
        ("# @package _global_\ndefaults: [/experiment/sagan/cifar10_99]\n", "sagan/cifar10_2"),
    ],
)
def test_mistake_in_an_own_experiment_is_explained(tmp_path, own_configs, text, expected):
    own_configs("experiment/case.yaml", text)
    done = ganexp("--config-dir", "mine", "experiment=case", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert expected in done.stderr
    assert len(done.stderr.splitlines()) <= 10


@pytest.mark.parametrize("name", ["loss/hinge.yaml", "experiment/sagan/cifar10_0.yaml", "train.yaml"])
def test_own_file_with_the_name_of_ganexps_is_refused(tmp_path, own_configs, name):
    content = (cli.CONF / name).read_text()
    own_configs(name, content)
    ganexp("describe", "--config-dir", "mine", cwd=tmp_path)  # an unchanged copy of ganexp's file is allowed
    own_configs(name, f"{content}seed: 5\n")
    done = ganexp("describe", "--config-dir", "mine", cwd=tmp_path, check=False)
    assert done.stderr.startswith(f"mine/{name}: ganexp has a file of this name")


@pytest.mark.parametrize(
    ("name", "settings", "line"),
    [
        ("loss/penalty/own", "penalties: {own: {_target_: a.B}}", "# @package loss"),
        ("metrics/score/own", "own: {_target_: a.B}", "# @package metrics.scores"),
        ("experiment/own", "schedule: {steps: 3}", "# @package _global_"),
        ("experiment/mine/own", "schedule: {steps: 3}", "# @package _global_"),
        ("sweep/own", "hydra: {mode: MULTIRUN}", "# @package _global_"),
    ],
)
def test_missing_package_of_an_own_file_is_named(tmp_path, own_configs, name, settings, line):
    group, _, option = name.rpartition("/")
    arguments = ["--config-dir", "mine", f"{group}={option}"]
    if group == "experiment/mine":
        arguments[-1] = "experiment=mine/own"
    own_configs(f"{name}.yaml", f"# Below a comment, the next line is not read.\n{line}\n{settings}\n")
    assert f"mine/{name}.yaml: the first line must be\n{line}\n" in ganexp(*arguments, cwd=tmp_path, check=False).stderr
    own_configs(f"{name}.yaml", f"{line}\nschedul: 3\n")  # the first line is right, and the error has another cause
    assert "the first line must be" not in ganexp(*arguments, cwd=tmp_path, check=False).stderr


def test_tilde_removes_the_choice_of_an_experiment(tmp_path):
    without = ganexp("describe", "experiment=wgan_gp/cifar10", "~schedule/lr_decay", cwd=tmp_path)
    assert json.loads(without.stdout)["lr_decay"] is None
    with_it = ganexp("describe", "experiment=wgan_gp/cifar10", cwd=tmp_path)
    assert json.loads(with_it.stdout)["lr_decay"] is not None
