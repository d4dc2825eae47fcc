"""The real command line, in a directory of its own."""

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

from ganexp import cli


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
