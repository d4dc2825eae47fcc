"""The wheel holds all configs and modules, and the ganexp in the wheel runs with a user's own configs and code."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch

from ganexp.runs.environment import COMMIT_FILE, git_state

ROOT = Path(__file__).resolve().parents[1]
EXTENSIONS = Path(__file__).resolve().parent / "helpers" / "user_extensions"
CHOICES = {
    "loss": "quadratic",
    "loss/penalty": "fake_outputs",
    "augment": "brightness",
    "metrics/score": "[fid,mean_pixel]",
    "callbacks": "[default,note]",
    "logger": "[steps]",
    "model": "linear",
    "data": "stripes",
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    target = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    return next(target.glob("*.whl"))


@pytest.fixture
def installed(wheel, tmp_path):
    """Unpack the wheel, and return a function that runs the unpacked ganexp in a given directory."""
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    environment = os.environ | {"PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}

    def python(*arguments, cwd):
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    assert python("-c", "import ganexp; print(ganexp.__file__)", cwd=tmp_path).startswith(str(site))
    return lambda *arguments, cwd: python("-m", "ganexp", *arguments, cwd=cwd)


def test_wheel_offers_the_extras(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = archive.read(name).decode()
    extras = set(re.findall(r"^Provides-Extra: (\S+)$", metadata, re.MULTILINE))
    assert extras == {"dev", "imagenet", "mlflow", "sweep", "timm", "wandb"}
    pinned = r"Requires-Dist: efficientnet-lite0?-pytorch(?:-model)?==0\.1\.0; extra == ['\"]imagenet['\"]"
    assert len(re.findall(pinned, metadata)) == 2


def test_wheel_holds_every_config_and_module(wheel):
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")}
    for folder, prefix in ((ROOT / "conf", "ganexp/conf/"), (ROOT / "src" / "ganexp", "ganexp/")):
        for file in folder.rglob("*"):
            if file.suffix in (".yaml", ".py", ".html", ".css", ".js", ".npz") or file.name == "py.typed":
                assert prefix + file.relative_to(folder).as_posix() in inside


def test_wheel_names_its_commit(wheel):
    with zipfile.ZipFile(wheel) as archive:
        stored = json.loads(archive.read(f"ganexp/{COMMIT_FILE}"))
    assert stored == git_state(ROOT)


@pytest.mark.parametrize("group", CHOICES)
def test_extension_is_one_python_file_and_one_yaml(group):
    option = CHOICES[group].strip("[]").split(",")[-1]
    text = (EXTENSIONS / "my_conf" / group / f"{option}.yaml").read_text()
    (module,) = set(re.findall(r"_target_: (my_\w+)\.", text))
    assert not re.search(r"^(import|from) my_", (EXTENSIONS / f"{module}.py").read_text(), re.MULTILINE)


def test_users_own_experiment_and_extensions_work_together(installed, tmp_path):
    directory = tmp_path / "user"
    shutil.copytree(EXTENSIONS, directory)
    (directory / "my_conf" / "experiment").mkdir()
    (directory / "my_conf" / "experiment" / "case.yaml").write_text(
        "# @package _global_\n"
        "defaults: [override /schedule/lr_decay: linear]\n"
        "schedule: {steps: 4, evaluate_every: 4, batch_size: 8}\n"
    )
    settings = ["trainer.log_every=1", "metrics.samples=20", "metrics.extractor.updates=5", "trainer=cpu"]
    settings += ["metrics.grid_rows=2", "metrics.grid_columns=2"]
    choices = [f"{group}={option}" for group, option in CHOICES.items()]
    installed("--config-dir", "my_conf", "experiment=case", *choices, *settings, cwd=directory)
    (run,) = (directory / "outputs" / "case").iterdir()
    assert "lr_decay:\n" in (run / "config.yaml").read_text()
    assert (run / "samples" / "step-0000004.png").exists()

    points = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    logged = set().union(*points)
    assert {"loss/discriminator/quadratic_real", "loss/discriminator/quadratic_fake"} <= logged  # the loss
    assert "loss/discriminator/fake_outputs" in logged  # the penalty
    assert "score/mean_pixel" in logged  # the score
    assert (run / "note.txt").read_text() == "trained"  # the callback
    assert set(map(int, (run / "steps.txt").read_text().split())) == {point["step"] for point in points}  # the logger
    state = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert {f"networks.{name}.one_layer.weight" for name in ("generator", "discriminator")} <= set(state)  # the network
    (calls,) = [value for name, value in state.items() if name.endswith("calls")]
    assert calls == 4 * (2 + 1)  # the augmentation: called for D, for D's penalty and for G in each step
    protocol = json.loads((run / "run.json").read_text())["protocol"]
    assert protocol["references"]["train"]["images"] == 120  # the dataset
