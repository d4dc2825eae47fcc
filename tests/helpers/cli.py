"""Run the real command line in a given directory."""

import contextlib
import io
import subprocess
import sys
from pathlib import Path

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
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main()
            code = 0
        except SystemExit as exit_:
            code = exit_.code or 0
            if isinstance(code, str):  # as Python itself treats a text
                print(code, file=sys.stderr)
                code = 1
        finally:
            sys.argv = before
    done = subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())
    if check:
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done


def ganexp_process(*arguments: str, cwd: Path) -> CommandProcess:
    """Start the command line in a separate process."""
    return CommandProcess(arguments, cwd)


def small_run(cwd: Path) -> tuple[Path, subprocess.CompletedProcess]:
    """Train a small conditional GAN on the digits, and return its run directory and the printed output."""
    done = ganexp(*SMALL, "model.conditional=true", f"metrics.cache={cwd / 'cache'}", cwd=cwd)
    (path,) = (cwd / "outputs" / "digits-mlp-wgan_gp").iterdir()
    return path, done
