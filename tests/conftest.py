"""What the tests share: a config composed in process, and the real command line in a folder of its own."""

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from ganexp import cli, schema
from ganexp.cli import CONF

torch.set_num_threads(1)  # two test processes, two cores

TINY = (
    "schedule.steps=4", "schedule.evaluate_every=2", "schedule.batch_size=8", "trainer.log_every=1", "metrics=none",
)  # fmt: skip


@pytest.fixture(autouse=True)
def own_caches(tmp_path_factory, monkeypatch):
    """No test reads or writes the user's caches, and none reaches a network."""
    monkeypatch.setenv("GANEXP_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("GANEXP_DATA", str(tmp_path_factory.getbasetemp() / "data"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path_factory.getbasetemp() / "torch"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


def raw_config(*overrides, config="train"):
    """The composed config, unresolved."""
    schema.register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(config, list(overrides))


def config(*overrides):
    """The composed and resolved config of a training run."""
    return schema.resolve(raw_config(*overrides))


def ganexp(*words, cwd: Path, check: bool = True) -> subprocess.CompletedProcess:
    """Runs the command line in `cwd`, inside this process, and returns what it printed."""
    out, err = io.StringIO(), io.StringIO()
    before, sys.argv = sys.argv, ["ganexp", *words]
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = cli.main() or 0
        except SystemExit as exit_:
            code = exit_.code or 0
            if isinstance(code, str):  # what Python itself does with it
                print(code, file=sys.stderr)
                code = 1
        finally:
            sys.argv = before
    done = subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())
    if check:
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done


def ganexp_process(*words, cwd: Path, **options) -> subprocess.Popen:
    """Starts the command line in a process of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "ganexp", *words], cwd=cwd, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options,
    )  # fmt: skip


@pytest.fixture(scope="session")
def random_inception(tmp_path_factory):
    """Inception with seeded random weights in a file of the true form."""
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.manual_seed(0)
    build = FeatureExtractorInceptionV3.__init__
    network = FeatureExtractorInceptionV3.__new__(FeatureExtractorInceptionV3)
    original = torch.load
    try:
        FeatureExtractorInceptionV3.load_state_dict = lambda self, state, **kw: None
        torch.load = lambda *args, **kw: {}
        build(network, "inception-v3-compat", ["2048", "logits_unbiased"], "none")
    finally:
        del FeatureExtractorInceptionV3.load_state_dict
        torch.load = original
    torch.save(network.state_dict(), path)
    return path
