"""Run the real command line in a given directory."""

import contextlib
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from hydra._internal.hydra import Hydra

from ganexp import cli
from helpers.processes import CommandProcess

SMALL = (
    "schedule.steps=6",
    "schedule.evaluate_every=3",
    "trainer.log_every=1",
    "metrics.samples=100",
    "metrics.extractor.updates=20",
)


def ganexp(*arguments: str, cwd: Path, check: bool = True) -> subprocess.CompletedProcess:
    """Run the command line in `cwd`, inside this process.

    Args:
        arguments: the command line after ganexp.
        cwd: the working directory.
        check: whether to fail if the command fails.

    Returns:
        The exit status and the printed output.
    """
    out, err = io.StringIO(), io.StringIO()
    before, sys.argv = sys.argv, ["ganexp", *arguments]
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _one_composition():
        try:
            cli.main()
            code = 0
        except SystemExit as exit_:
            code = exit_.code or 0
            if isinstance(code, str):  # Python prints the text of a SystemExit and exits with 1
                print(code, file=sys.stderr)
                code = 1
        finally:
            sys.argv = before
    done = subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())
    if check:
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done


@contextlib.contextmanager
def _one_composition() -> Iterator[None]:
    """Skip Hydra's first composition of the config if the command cannot set hydra.mode.

    Hydra composes the config twice, and uses the first composition only to read hydra.mode. Commands in separate
    processes compose the config twice, as they do for users.
    """
    compose = Hydra.get_mode

    def get_mode(self: Hydra, config_name: str | None, overrides: list[str], **named: Any) -> object:
        may_be_set = any("sweep" in word or "hydra" in word for word in sys.argv)
        return compose(self, config_name, overrides, **named) if may_be_set or "--config-dir" in sys.argv else None

    with mock.patch.object(Hydra, "get_mode", get_mode):
        yield


def ganexp_process(*arguments: str, cwd: Path) -> CommandProcess:
    """Start the command line in a separate process."""
    return CommandProcess(arguments, cwd)


def small_run(cwd: Path) -> tuple[Path, subprocess.CompletedProcess]:
    """Train a small conditional GAN on the digits, and return its run directory and the printed output."""
    done = ganexp(*SMALL, "model.conditional=true", f"metrics.cache={cwd / 'cache'}", cwd=cwd)
    (path,) = (cwd / "outputs" / "digits-mlp-wgan_gp").iterdir()
    return path, done
