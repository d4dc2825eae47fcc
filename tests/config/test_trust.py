"""Configs and checkpoints from strangers run no code."""

import pytest
import torch
from helpers.cli import ganexp
from helpers.config import TINY, config
from omegaconf import OmegaConf

from ganexp.build import build_gan
from ganexp.config import trust
from ganexp.errors import UserError


@pytest.mark.parametrize(
    "target",
    [
        "os.system", "builtins.eval", "torch.load", "torch.hub.load", "subprocess.Popen", "ganexp.cli.main",
        "ganexp.commands.train.train", "ganexp.models.mlp.torch.load", "ganexp.metrics.extractors.os.replace",
        "ganexp.metrics.extractors.save_atomically", "ganexp.data.sets._fetch", "ganexp.data.sets.datasets.MNIST",
        "ganexp.runs.run_directory.subprocess.run", "torch.optim.os.system", "ganexp.nothing.Here", "", None, 3,
    ],
)  # fmt: skip
def test_not_trusted(target):
    assert not trust.trusted(target)


@pytest.mark.parametrize(
    "target",
    ["ganexp.losses.Hinge", "ganexp.models.dcgan.Generator", "ganexp.data.sets.digits", "torch.optim.Adam",
     "ganexp.metrics.extractors.train_classifier", "ganexp.training.updates.FixedRatio"],
)  # fmt: skip
def test_trusted(target):
    assert trust.trusted(target)


def test_own_packages_are_trusted_by_name(monkeypatch):
    monkeypatch.setenv("GANEXP_TRUST", "mine, other.part")
    assert trust.trusted("mine.nets.G")
    assert trust.trusted("other.part.D")
    assert not trust.trusted("minefield.G")
    assert not trust.trusted("other.D")


@pytest.fixture
def run(tmp_path):
    ganexp(*TINY, "hydra.run.dir=run", cwd=tmp_path)
    return tmp_path / "run"


@pytest.mark.parametrize("command", ["evaluate", "sample", "resume"])
def test_a_strange_config_is_refused(run, command):
    text = (run / "config.yaml").read_text()
    evil = text.replace("ganexp.models.mlp.Generator", "os.system")
    assert evil != text
    (run / "config.yaml").write_text(evil)
    facts = (run / "run.json").read_text()
    (run / "run.json").write_text(facts.replace("finished", "running"))
    words = [str(run)] if command == "resume" else [f"ckpt={run}"]
    done = ganexp(command, *words, cwd=run.parent, check=False)
    assert done.returncode == 1
    assert "model.generator._target_=os.system is not part of ganexp" in done.stderr
    assert "Traceback" not in done.stderr


class Payload:
    def __reduce__(self):
        return (print, ("code ran",))


@pytest.mark.parametrize("content", [b"broken", Payload()])
def test_a_strange_checkpoint_is_refused(run, content):
    path = run / "checkpoints" / "last.ckpt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save({"state_dict": content}, path)
    done = ganexp("sample", f"ckpt={path}", cwd=run.parent, check=False)
    assert done.returncode == 1
    assert "cannot be read" in done.stderr
    assert "code ran" not in done.stdout
    (run / "run.json").write_text((run / "run.json").read_text().replace("finished", "running"))
    done = ganexp("resume", str(run), cwd=run.parent, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "code ran" not in done.stdout


def test_unresolved_values_are_refused(tmp_path):
    (tmp_path / "config.yaml").write_text("a: ${oc.env:HOME}\n")
    with pytest.raises(UserError, match="a is not resolved"):
        trust.load(tmp_path / "config.yaml")


def test_a_config_of_an_older_version_gets_the_defaults_of_newer_keys(tmp_path):
    cfg = OmegaConf.to_container(config(*TINY))
    for key in ("auxiliary", "epsilon"):
        del cfg["loss"][key]
    del cfg["schedule"]["max_d_steps"], cfg["model"]["classifier"], cfg["optimizer"]["classifier"]
    OmegaConf.save(cfg, tmp_path / "config.yaml")
    read = trust.load(tmp_path / "config.yaml")
    assert (read.loss.auxiliary, read.loss.epsilon, read.schedule.max_d_steps) == (None, "per_sample", None)
    build_gan(read)


@pytest.mark.parametrize(
    ("change", "message"), [({"data": None}, "data"), ({"seed": "today"}, "seed|Integer"), ({"extra": 1}, "extra")]
)
def test_what_is_no_config_of_a_run_is_refused(tmp_path, change, message):
    OmegaConf.save(OmegaConf.to_container(config(*TINY)) | change, tmp_path / "config.yaml")
    with pytest.raises(UserError, match=message):
        trust.load(tmp_path / "config.yaml")
