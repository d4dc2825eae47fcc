"""Printed tables are complete, commands whose output nobody reads end quietly, and errors name unusable paths."""

import io
import os
import subprocess
import sys

import pytest
from helpers.cli import ganexp
from helpers.config import TINY
from helpers.runs import make_run, template
from helpers.sweeps import FAST
from rich.table import Table

from ganexp.commands.sweeps.table import print_jobs
from ganexp.console import CLOSED_OUTPUT, TableConsole
from ganexp.runs.run_directory import RunDirectory

pytestmark = pytest.mark.slow

LONG = ("schedule.steps=20", "schedule.evaluate_every=10")
SCORED = ("trainer=cpu", "metrics/score=[is,fid,kid,neighbours]", "metrics.references=[train,test]", *FAST)


def test_table_of_a_run_in_a_file_has_all_numbers(tmp_path):
    done = ganexp(*SCORED, "hydra.run.dir=run", cwd=tmp_path)
    run = RunDirectory(tmp_path / "run").metadata()
    spreads = {name for name, info in run["score_info"].items() if "spread_of" in info}
    assert len(run["scores"]["last"]) > 10
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("│ last")]
    cells = [cell.strip() for cell in line.strip("│").split("│")]
    scores = {name: value for name, value in run["scores"]["last"].items() if name not in {"step", *spreads}}
    assert cells[2:] == [f"{value:.4g}" for value in scores.values()]


def test_table_of_a_sweep_in_a_file_has_all_numbers(capsys):
    scores = {f"score_with_a_long_name_{number}": 1234.5 + number for number in range(12)}
    print_jobs({"00-a": {"status": "finished", "scores": {"best": scores}}})
    printed = capsys.readouterr().out
    assert all(f"{value:.4g}" in printed for value in scores.values())
    assert "…" not in printed


@pytest.mark.parametrize("width", [20, 40, 80])
def test_narrow_terminal_shows_every_cell_whole(width):
    table = Table("job", *(f"score_{number}" for number in range(6)))
    values = [[f"{job}.{number}234" for number in range(6)] for job in (1, 2)]
    for job, cells in enumerate(values):
        table.add_row(f"job {job}", *cells)
    console = TableConsole(width=width, file=io.StringIO())
    console.print(table)
    printed = console.file.getvalue()
    assert all(cell in printed for cells in values for cell in cells)
    assert max(map(len, printed.splitlines())) <= width


@pytest.mark.parametrize(
    ("arguments", "unbuffered"),
    [
        (["list"], "1"),
        (["--help"], "1"),
        (["--info"], ""),
        (["report", "run"], ""),
    ],
)
def test_closed_pipe_ends_a_command_quietly(tmp_path, arguments, unbuffered):
    if arguments[0] == "report":
        make_run(tmp_path / "run", template())
    done = into_closed_pipe(arguments, tmp_path, unbuffered)
    assert "Traceback" not in done.stderr
    assert "ignored" not in done.stderr
    assert "Broken" not in done.stderr
    assert done.returncode == CLOSED_OUTPUT


def test_run_whose_reader_leaves_ends_and_can_be_resumed(tmp_path):
    command = [sys.executable, "-m", "ganexp", *TINY, *LONG, "hydra.run.dir=run"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, text=True, **pipes) as process:
        while "run directory" not in process.stdout.readline():
            pass
        process.stdout.close()
        assert process.wait(timeout=60) != 0
        assert process.stderr.read() == ""
    run = RunDirectory(tmp_path / "run")
    assert run.metadata()["status"] != "finished"
    ganexp("resume", "run", cwd=tmp_path)
    assert run.metadata()["status"] == "finished"


def into_closed_pipe(arguments, cwd, unbuffered=""):
    """Run a command whose output goes to a pipe that nobody reads."""
    read, write = os.pipe()
    os.close(read)
    try:
        return subprocess.run(
            [sys.executable, "-m", "ganexp", *arguments],
            cwd=cwd,
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered, "OMP_NUM_THREADS": "1"},
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(write)


@pytest.mark.parametrize(
    ("arguments", "place", "setting"),
    [
        (["hydra.run.dir=file/run"], "file/run", "hydra.run.dir=PATH"),
        (["-m", "seed=1,2", "hydra.sweep.dir=file/swept"], "file/swept", "hydra.sweep.dir="),
        (["metrics=classifier", "metrics.cache=file/cache"], "file/cache", "metrics.cache=PATH"),
        (["sample", "ckpt=run", "output=file/drawn"], "file/drawn", "output=PATH"),
        (["evaluate", "ckpt=run", "output=file/scores"], "file/scores", "output=PATH"),
        (["evaluate", "real=test", "output=file/scores"], "file/scores", "output=PATH"),
        ([f"hydra.run.dir={'x' * 300}"], "xxx", "hydra.run.dir=PATH"),
    ],
    ids=lambda value: value[0][:30] if isinstance(value, list) else "",
)
def test_unusable_place_is_named_with_its_setting(tmp_path, arguments, place, setting):
    (tmp_path / "file").touch()
    settings = () if arguments[0] in ("sample", "evaluate") else TINY
    done = ganexp(*settings, *arguments, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(place)
    assert f"Choose another path: {setting}" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_home_directory_that_does_not_exist_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.delenv("GANEXP_CACHE")
    done = ganexp("trainer=cpu", *FAST, cwd=tmp_path, check=False)
    assert done.stderr.startswith("file/.cache/ganexp: ")
    assert "metrics.cache=PATH, or the environment variable GANEXP_CACHE" in done.stderr
    assert f"HOME={tmp_path / 'file'}" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("settings", "fix"),
    [
        (["schedule=quick", "schedule.ema.decay=0.999"], "use schedule.ema.decay=0.98"),
        (["schedule=quick", "schedule.ema.decay=0.995", "schedule.ema.start=500"], "use schedule.ema.decay=0.9"),
        (["schedule=quick", "schedule.ema.decay=0.9", "schedule.ema.start=600"], "no weights are averaged"),
    ],
)
def test_average_that_spans_longer_than_the_run_warns(tmp_path, settings, fix):
    done = ganexp("--dry-run", "trainer=cpu", "metrics=none", *settings, cwd=tmp_path)
    (warning,) = [line for line in done.stdout.splitlines() if line.startswith("warning: schedule.ema")]
    assert fix in warning
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("settings", [["schedule=quick", "schedule.ema.decay=0.98"], ["schedule.ema.decay=0.995"]])
def test_average_that_fits_the_run_does_not_warn(tmp_path, settings):
    assert "schedule.ema" not in ganexp("--dry-run", "trainer=cpu", *settings, cwd=tmp_path).stdout
