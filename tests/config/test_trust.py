"""Configs and checkpoints of strangers run no code."""

import json

import pytest
import torch
from helpers.cli import ganexp
from helpers.config import TINY, config
from helpers.options import options
from omegaconf import OmegaConf

from ganexp.build import build_gan
from ganexp.config import trust
from ganexp.errors import UserError

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "builtins.eval",
        "torch.load",
        "torch.hub.load",
        "subprocess.Popen",
        "ganexp.cli.main",
        "ganexp.commands.train.train",
        "ganexp.models.mlp.torch.load",
        "ganexp.metrics.extractors.classifier.torch.save",
        "ganexp.metrics.extractors.classifier.classifier_file",
        "ganexp.metrics.extractors.weights.find_weights",
        "ganexp.callbacks.curves.pl.Trainer",
        "ganexp.loggers.tensorboard.TensorBoardLogger",
        "ganexp.data.sets.fetch",
        "ganexp.data.sets._check_split",
        "ganexp.data.sets.datasets.MNIST",
        "ganexp.data.download.fetch",
        "ganexp.runs.run_directory.RunDirectory",
        "ganexp.runs.environment.subprocess.run",
        "ganexp.training.gan.GAN",
        "pytorch_lightning.Trainer",
        "pytorch_lightning.callbacks.LambdaCallback",
        "pytorch_lightning.loggers.CSVLogger",
        "pytorch_lightning.loggers.MLFlowLogger",
        "pytorch_lightning.loggers.WandbLogger",
        "ganexp.loggers.mlflow.MLFlowLogger",
        "ganexp.loggers.wandb.to_pil",
        "torch.optim.os.system",
        "ganexp.nothing.Here",
        "",
        None,
        3,
    ],
)
def test_target_is_not_trusted(target):
    assert not trust.trusted(target)


@pytest.mark.parametrize(
    "target",
    [
        "ganexp.losses.Hinge",
        "ganexp.losses.auxiliary.ClassHead",
        "ganexp.models.dcgan.Generator",
        "ganexp.data.sets.digits",
        "ganexp.training.updates.FixedRatio",
        "ganexp.training.schedules.LinearDecay",
        "ganexp.metrics.fid.FID",
        "ganexp.metrics.extractors.inception.InceptionExtractor",
        "ganexp.metrics.extractors.classifier.train_classifier",
        "ganexp.callbacks.curves.Curves",
        "ganexp.loggers.tensorboard.TensorBoard",
        "pytorch_lightning.callbacks.EarlyStopping",
        "pytorch_lightning.callbacks.LearningRateMonitor",
        "torch.optim.Adam",
    ],
)
def test_target_is_trusted(target):
    assert trust.trusted(target)


@pytest.mark.parametrize("option", [f"{group}={name}" for group in ("callbacks", "logger") for name in options(group)])
def test_run_with_any_callbacks_and_loggers_is_trusted(tmp_path, option):
    OmegaConf.save(config(*TINY, option.replace("=", "=[") + "]"), tmp_path / "config.yaml")
    trust.load(tmp_path / "config.yaml")


@pytest.mark.parametrize("address", ["http://example.org:5000", "file:mlruns", "databricks", "sqlite:"])
def test_address_of_a_server_is_refused(tmp_path, monkeypatch, address):
    node = {"_target_": "ganexp.loggers.mlflow.MLflow", "tracking_uri": address}
    path = saved(tmp_path, {"logger": {"mlflow": node}})
    with pytest.raises(UserError, match=f"(?s)logger.mlflow.tracking_uri={address}.*MLFLOW_TRACKING_URI={address}"):
        trust.load(path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)  # now the user has chosen this address
    assert trust.load(path).logger.mlflow.tracking_uri == address


def test_printed_command_names_the_packages_that_the_user_must_trust(monkeypatch):
    loss = {"_target_": "ganexp.losses.Hinge"}
    own = {"_target_": "mine.nets.G", "layers": [{"_target_": "theirs.Layer"}, {"_target_": "mine.Other"}]}
    cfg = OmegaConf.create({"model": own, "callbacks": {"x": {"_target_": "third.Callback"}}, "loss": loss})
    assert trust.in_front_of_command(cfg) == "GANEXP_TRUST=mine,theirs,third "
    assert trust.in_front_of_command(cfg, without=["callbacks"]) == "GANEXP_TRUST=mine,theirs "
    monkeypatch.setenv("GANEXP_TRUST", "theirs")
    assert trust.in_front_of_command(cfg) == "GANEXP_TRUST=mine,theirs,third "
    assert trust.in_front_of_command(OmegaConf.create({"loss": loss})) == ""


def test_error_names_all_packages_that_the_user_must_trust(tmp_path, monkeypatch):
    monkeypatch.setenv("GANEXP_TRUST", "mine")
    path = saved(tmp_path, {"model": {"generator": {"_target_": "mine.G"}, "discriminator": {"_target_": "theirs.D"}}})
    with pytest.raises(UserError, match="GANEXP_TRUST=mine,theirs ganexp"):
        trust.load(path)


def test_own_packages_are_trusted_by_name(monkeypatch):
    monkeypatch.setenv("GANEXP_TRUST", "mine, other.part")
    assert trust.trusted("mine.nets.G")
    assert trust.trusted("other.part.D")
    assert not trust.trusted("minefield.G")
    assert not trust.trusted("other.D")


def test_no_package_is_trusted_by_an_empty_list(monkeypatch):
    monkeypatch.setenv("GANEXP_TRUST", " , ")
    assert not trust.trusted("os.system")


def saved(tmp_path, change):
    """Save the config of a run with a change, and return the path of the file."""
    values = OmegaConf.to_container(config(*TINY))
    OmegaConf.save(values | change, tmp_path / "config.yaml")
    return tmp_path / "config.yaml"


@pytest.mark.parametrize("key", ["callbacks", "logger", "augment", "optimizer"])
def test_dictionaries_of_nodes_are_checked(tmp_path, key):
    path = saved(tmp_path, {key: {"evil": {"_target_": "os.system", "command": "true"}}})
    with pytest.raises(UserError, match=f"{key}.evil._target_=os.system is not part of ganexp"):
        trust.load(path)


def test_nested_nodes_are_checked(tmp_path):
    inner = {"_target_": "ganexp.models.mlp.Generator", "hidden": [{"_target_": "os.system"}]}
    with pytest.raises(UserError, match=r"callbacks.a.hidden.0._target_=os.system"):
        trust.load(saved(tmp_path, {"callbacks": {"a": inner}}))


def test_nodes_that_are_not_needed_are_removed_unchecked(tmp_path):
    path = saved(tmp_path, {"callbacks": {"own": {"_target_": "mine.Callback"}}})
    assert trust.load(path, without=["callbacks", "logger"]).callbacks == {}
    with pytest.raises(UserError, match=r"GANEXP_TRUST=mine ganexp"):
        trust.load(path)


@pytest.fixture
def run(tmp_path):
    ganexp(*TINY, "hydra.run.dir=run", cwd=tmp_path)
    return tmp_path / "run"


def mark_as_running(run):
    metadata = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(metadata | {"status": "running"}))


@pytest.mark.parametrize("command", ["evaluate", "sample", "resume"])
def test_command_refuses_a_strange_config(run, command):
    text = (run / "config.yaml").read_text()
    evil = text.replace("ganexp.models.mlp.Generator", "os.system")
    assert evil != text
    (run / "config.yaml").write_text(evil)
    mark_as_running(run)
    overrides = [str(run)] if command == "resume" else [f"ckpt={run}"]
    done = ganexp(command, *overrides, cwd=run.parent, check=False)
    assert done.returncode == 1
    assert "model.generator._target_=os.system is not part of ganexp" in done.stderr
    assert "Traceback" not in done.stderr


class Payload:
    def __reduce__(self):
        return (print, ("code ran",))


@pytest.mark.parametrize("content", [b"broken", Payload()], ids=["broken", "code"])
def test_strange_checkpoint_is_refused(run, content):
    path = run / "checkpoints" / "last.ckpt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save({"state_dict": content}, path)
    done = ganexp("sample", f"ckpt={path}", cwd=run.parent, check=False)
    assert done.returncode == 1
    assert "cannot be read" in done.stderr
    assert "code ran" not in done.stdout
    mark_as_running(run)
    done = ganexp("resume", str(run), cwd=run.parent, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "code ran" not in done.stdout


def test_unresolved_value_is_refused(tmp_path):
    (tmp_path / "config.yaml").write_text("a: ${oc.env:HOME}\n")
    with pytest.raises(UserError, match="a is not resolved"):
        trust.load(tmp_path / "config.yaml")


@pytest.mark.parametrize("content", ["[1, 2]", "3", "", "a: [", "\x00"])
def test_file_that_is_no_config_is_refused(tmp_path, content):
    (tmp_path / "config.yaml").write_text(content)
    with pytest.raises(UserError, match=r"is not (a|the) config"):
        trust.load(tmp_path / "config.yaml")


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"config.yaml: no such file"):
        trust.load(tmp_path / "config.yaml")


def test_missing_keys_get_their_defaults(tmp_path):
    values = OmegaConf.to_container(config(*TINY))
    for key in ("auxiliary", "epsilon"):
        del values["loss"][key]
    del values["schedule"]["max_d_steps"], values["model"]["auxiliary"], values["augment"]
    OmegaConf.save(values, tmp_path / "config.yaml")
    cfg = trust.load(tmp_path / "config.yaml")
    assert (cfg.loss.auxiliary, cfg.loss.epsilon, cfg.schedule.max_d_steps) == ({}, "per_sample", None)
    build_gan(cfg)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": None}, "data"),
        ({"seed": "today"}, "seed|Integer"),
        ({"seed": -1}, "seed=-1: must be a whole number from 0 to 4294967295"),
        ({"extra": 1}, "extra"),
        ({"optimizer": {"generator": {"lr": 1}}}, "optimizer.generator=.* has no _target_"),
    ],
)
def test_config_of_something_else_is_refused(tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        trust.load(saved(tmp_path, change))
