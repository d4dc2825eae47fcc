"""The directory of a run: its path, its files and its lock."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from filelock import FileLock
from omegaconf import OmegaConf, open_dict, read_write

from ganexp.cli import CONF
from ganexp.config import schema
from ganexp.config.composition import compose_config
from ganexp.errors import UserError
from ganexp.runs.run_directory import (
    HYDRA_FILES,
    RunDirectory,
    newest_run_below,
    remove_if_empty,
    reserve,
    save_hydra_files,
)


def composed(*overrides):
    """Return the composed config of a run, and Hydra's settings."""
    schema.register()
    cfg = compose_config("train", overrides, [CONF], with_hydra=True)
    with read_write(cfg.hydra), open_dict(cfg.hydra):
        cfg.hydra.runtime.output_dir = "elsewhere"
    return OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"]), cfg.hydra


def test_runs_import_no_torch():
    modules = "run_directory, sweep_directory, atomic, environment, naming"
    code = f"import sys; from ganexp.runs import {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_create_unique_adds_a_number_to_a_taken_path(tmp_path):
    paths = [RunDirectory.create_unique(tmp_path / "run").path for _ in range(3)]
    assert paths == [tmp_path / "run", tmp_path / "run-2", tmp_path / "run-3"]


def test_create_unique_tries_as_many_names_as_it_says(tmp_path, monkeypatch):
    monkeypatch.setattr("ganexp.runs.run_directory.MAX_ATTEMPTS", 3)
    paths = [RunDirectory.create_unique(tmp_path / "run").path for _ in range(3)]
    assert paths[-1] == tmp_path / "run-3"
    with pytest.raises(RuntimeError, match="run: 3 runs already use this path"):
        RunDirectory.create_unique(tmp_path / "run")


def test_create_unique_takes_an_empty_directory(tmp_path):
    (tmp_path / "run").mkdir()  # Hydra may have made an empty directory
    assert RunDirectory.create_unique(tmp_path / "run").path == tmp_path / "run"


def test_create_unique_at_the_same_moment_gives_different_paths(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: RunDirectory.create_unique(tmp_path / "run").path, range(16)))
    assert len(set(runs)) == 16


def test_reserve_gives_every_process_a_directory_of_its_own(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: reserve(tmp_path / "run"), range(16)))
    assert sorted(paths) == sorted([tmp_path / "run", *(tmp_path / f"run-{number}" for number in range(2, 17))])


def test_reserve_passes_over_a_run_without_hydra_files(tmp_path):
    RunDirectory.create_unique(tmp_path / "run")
    assert reserve(tmp_path / "run") == tmp_path / "run-2"
    assert RunDirectory.create_unique(tmp_path / "run-2").path == tmp_path / "run-2"  # a reserved directory can be used


@pytest.mark.parametrize(
    "name",
    ["config.yaml", "metrics.jsonl", "run.log", "curves.png", "events.out.tfevents.1", "samples/a", "checkpoints/a"],
)
def test_reserve_passes_over_files_that_a_run_would_replace(tmp_path, name):
    file = tmp_path / "run" / name
    file.parent.mkdir(parents=True)
    file.touch()
    assert reserve(tmp_path / "run") == tmp_path / "run-2"


def test_reserve_takes_a_directory_with_other_files(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").touch()
    assert reserve(tmp_path / "run") == tmp_path / "run"


def test_hydra_files_are_those_that_hydra_writes(tmp_path):
    task, hydra_config = composed("loss=hinge", "seed=7")
    path = reserve(tmp_path / "run")
    save_hydra_files(path, task, hydra_config)
    config, settings, overrides = (OmegaConf.load(path / ".hydra" / name) for name in HYDRA_FILES)
    assert config == task
    assert "${" in (path / ".hydra" / "config.yaml").read_text()  # not resolved, as in Hydra's own file
    assert overrides == ["loss=hinge", "seed=7"]
    assert settings.hydra.job.config_name == "train"
    assert settings.hydra.runtime.output_dir == str(path)


def test_metadata_of_a_run_that_was_just_created_is_empty(tmp_path):
    assert RunDirectory.create_unique(tmp_path / "run").metadata() == {}
    assert RunDirectory(tmp_path / "nowhere").metadata() == {}


def test_update_metadata_adds_and_replaces_values(tmp_path):
    run = RunDirectory(tmp_path)
    run.update_metadata(status="running", name="a")
    run.update_metadata(status="finished", scores={"best": {"fid": 1.5}})
    assert run.metadata() == {"status": "finished", "name": "a", "scores": {"best": {"fid": 1.5}}}
    assert json.loads((tmp_path / "run.json").read_text()) == run.metadata()


def test_save_config_keeps_every_value(tmp_path):
    cfg = OmegaConf.create({"seed": 1, "loss": {"weight": 0.1, "name": None, "path": "größe"}})
    run = RunDirectory(tmp_path)
    run.save_config(cfg)
    assert OmegaConf.load(run.config) == cfg


def test_points_pass_over_a_line_that_a_kill_cut_short(tmp_path):
    run = RunDirectory(tmp_path)
    assert run.points() == []
    run.metrics.write_text('{"step": 1, "loss/generator": 0.5}\n{"step": 2}\n{"step": 3, "lo')
    assert run.points() == [{"step": 1, "loss/generator": 0.5}, {"step": 2}]


def test_drop_points_after_keeps_the_step_itself(tmp_path):
    run = RunDirectory(tmp_path)
    run.metrics.write_text("".join(json.dumps({"step": step, "x": 0.1}) + "\n" for step in (1, 2, 2, 3)))
    run.drop_points_after(2)
    assert run.metrics.read_text() == "".join(json.dumps({"step": step, "x": 0.1}) + "\n" for step in (1, 2, 2))


def test_locked_refuses_a_second_process(tmp_path):
    run = RunDirectory(tmp_path)
    with (
        FileLock(tmp_path / ".lock"),
        pytest.raises(UserError, match="another process is training this run"),
        run.locked(),
    ):
        pass
    with run.locked():  # the lock is free again
        pass


def test_newest_run_below_names_the_run_that_changed_last(tmp_path):
    assert newest_run_below(tmp_path) == ""
    assert newest_run_below(tmp_path / "nowhere") == ""
    for age, name in enumerate(("name/time/newest", "older", "name/oldest")):
        file = tmp_path / name / "run.json"
        file.parent.mkdir(parents=True)
        file.touch()
        os.utime(file, (1000 - age, 1000 - age))
        assert newest_run_below(tmp_path) == ""  # it has no checkpoint
    for file in list(tmp_path.rglob("run.json")):
        (file.parent / "checkpoints").mkdir()
        (file.parent / "checkpoints/last.ckpt").touch()
    failed = tmp_path / "name/failed/run.json"
    failed.parent.mkdir()
    failed.touch()
    assert newest_run_below(tmp_path, or_sweep=True) == f"\nDid you mean {failed.parent}?"
    failed.unlink()
    assert newest_run_below(tmp_path) == f"\nDid you mean {tmp_path / 'name/time/newest'}?"
    (tmp_path / "name/time/sweep.json").touch()
    assert newest_run_below(tmp_path) == f"\nDid you mean {tmp_path / 'name/time/newest'}?"
    assert newest_run_below(tmp_path, or_sweep=True) == f"\nDid you mean {tmp_path / 'name/time'}?"
    (tmp_path / "name/time/sweep.json").rename(tmp_path / "name/sweep.json")  # hydra.sweep.subdir has two levels
    assert newest_run_below(tmp_path, or_sweep=True) == f"\nDid you mean {tmp_path / 'name'}?"


def test_remove_if_empty_removes_the_default_parents(tmp_path):
    (tmp_path / "outputs" / "name" / "time").mkdir(parents=True)
    remove_if_empty(tmp_path / "outputs" / "name" / "time")
    assert not list(tmp_path.iterdir())


def test_remove_if_empty_keeps_what_holds_something(tmp_path):
    path = tmp_path / "outputs" / "name" / "time"
    path.mkdir(parents=True)
    (tmp_path / "outputs" / "name" / "another").mkdir()
    remove_if_empty(path)
    assert [directory.name for directory in (tmp_path / "outputs" / "name").iterdir()] == ["another"]
    (path := tmp_path / "own" / "run").mkdir(parents=True)
    remove_if_empty(path)
    assert not path.exists()
    assert path.parent.exists()  # kept, because it is not a default directory


def test_remove_if_empty_removes_hydras_files(tmp_path):
    path = reserve(tmp_path / "outputs" / "name" / "time")
    save_hydra_files(path, *composed())
    remove_if_empty(path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["notes.txt", ".hydra/notes.txt"])
def test_remove_if_empty_keeps_files_beside_those_of_hydra(tmp_path, name):
    path = reserve(tmp_path / "run")
    save_hydra_files(path, *composed())
    (path / name).touch()
    remove_if_empty(path)
    assert {file.name for file in path.rglob("*") if file.is_file()} == {*HYDRA_FILES, "notes.txt"}


def test_remove_if_empty_keeps_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    remove_if_empty(tmp_path)
    assert tmp_path.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"status": "run', "Unterminated string"),
        (b"[1]", "the file: Input should be a valid dictionary"),
        (b"3", "the file: Input should be"),
        (b'\xff\xfe{"status": 1}', "can't decode byte 0xff"),
        (b'{"status": 3}', "status: Input should be a valid string"),
        (b'{"scores": {"last": 3}}', r"scores\.last: Input should be a valid dictionary"),
        (b'{"data": []}', "data: Input should be a valid dictionary"),
        (b'{"resumed": "today"}', "resumed: Input should be a valid list"),
        (b"[" * 9000, "RecursionError|maximum recursion depth"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_damaged_metadata_are_refused_by_name(tmp_path, content, reason):
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(UserError, match=rf"run\.json is damaged: .*({reason})(.|\n)*an empty JSON object, {{}}"):
        RunDirectory(tmp_path).metadata()


def test_lines_that_are_no_points_are_dropped_and_counted(tmp_path, capsys):
    run = RunDirectory(tmp_path)
    lines = [
        b'{"step": 1}',
        b"[1]",
        b"3",
        b'"step"',
        b'{"loss": 1}',
        b'{"step": "2"}',
        b"\xff\xfe",
        b'{"step": 3}',
        b'{"ste',
    ]
    run.metrics.write_bytes(b"\n".join(lines))
    assert [point["step"] for point in run.points()] == [1, 3]
    run.drop_points_after(2)
    assert capsys.readouterr().out == "metrics.jsonl: removed 6 lines that cannot be read\n"
    assert run.metrics.read_text() == '{"step": 1}\n'
