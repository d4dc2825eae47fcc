"""The wheel holds what a checkout holds, and runs from an empty folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    target = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(ROOT)]
    subprocess.run(words, check=True, capture_output=True)
    return next(target.glob("*.whl"))


def test_wheel_holds_every_config_and_module(wheel):
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")}
    for folder, prefix in ((ROOT / "conf", "ganexp/conf/"), (ROOT / "src" / "ganexp", "ganexp/")):
        for file in folder.rglob("*"):
            if file.suffix in (".yaml", ".py", ".html", ".css", ".js"):
                assert prefix + file.relative_to(folder).as_posix() in inside


def test_wheel_runs_from_an_empty_folder_with_a_users_own_configs(wheel, tmp_path):
    site, empty = tmp_path / "site", tmp_path / "empty"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (empty / "mine" / "experiment").mkdir(parents=True)
    (empty / "mine" / "experiment" / "case.yaml").write_text(
        "# @package _global_\n"
        "defaults: [override /loss: hinge]\n"
        "schedule: {steps: 2, evaluate_every: 2, batch_size: 8}\n"
    )
    words = [
        sys.executable,
        "-m",
        "ganexp",
        "--config-dir",
        "mine",
        "experiment=case",
        "metrics=none",
        "trainer=cpu",
    ]
    environment = os.environ | {"PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    where = subprocess.run([sys.executable, "-c", "import ganexp; print(ganexp.__file__)"], env=environment, cwd=empty,
                           capture_output=True, text=True, check=True)  # fmt: skip
    assert where.stdout.startswith(str(site))
    done = subprocess.run(words, cwd=empty, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder,) = (empty / "outputs" / "case").iterdir()
    assert (folder / "samples" / "step-0000002.png").exists()
    assert "Hinge" in (folder / "config.yaml").read_text()
