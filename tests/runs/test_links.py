"""Run directories that hold a link to another place, or a pipe, are refused."""

import os

import pytest

from ganexp.errors import UserError
from ganexp.runs.links import refuse_links


@pytest.mark.parametrize("name", ["metrics.jsonl", "samples", "checkpoints/last.ckpt", ".hydra/config.yaml"])
@pytest.mark.parametrize("target", ["secret", "folder", "missing", "run/../secret"])
def test_link_that_leaves_the_directory_is_refused(tmp_path, name, target):
    (tmp_path / "secret").write_text("mine")
    (tmp_path / "folder").mkdir()
    link = tmp_path / "run" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / target)
    with pytest.raises(UserError, match=f"{name} is a link to .*{target}, outside of the run directory"):
        refuse_links(tmp_path / "run")


def test_link_of_wandb_to_its_log_is_allowed(tmp_path):
    link = tmp_path / "run" / "wandb" / "offline-run-1" / "logs" / "debug-core.log"
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "core.log")
    refuse_links(tmp_path)
    link.rename(link.with_name("debug.log"))
    with pytest.raises(UserError, match=r"debug\.log is a link"):
        refuse_links(tmp_path / "run")


def test_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "run.json")
    with pytest.raises(UserError, match=r"run\.json is not a regular file"):
        refuse_links(tmp_path)


def test_links_within_the_directory_are_allowed(tmp_path):
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    (run / "checkpoints" / "step-1.ckpt").touch()
    (run / "checkpoints" / "last.ckpt").symlink_to("step-1.ckpt")
    (tmp_path / "latest").symlink_to(run)
    refuse_links(tmp_path / "latest")
