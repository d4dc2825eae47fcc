"""Record the environment of a run: time, versions, machine, command and commit. Must not import torch."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import ganexp

PACKAGES = (
    "torch",
    "torchvision",
    "pytorch-lightning",
    "torchmetrics",
    "torch-fidelity",
    "hydra-core",
    "numpy",
)


def now() -> str:
    """Return the current time in UTC as ISO 8601 with a resolution of one second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def environment() -> dict[str, Any]:
    """Return the versions, machine, command line and commit of this process, in the format of run.json."""
    return {
        "ganexp": ganexp.__version__,
        "python": platform.python_version(),
        "versions": package_versions(),
        "host": platform.node(),
        "platform": platform.platform(),
        "command": sys.argv[1:],
        **git_state(),
    }


def package_versions() -> dict[str, str]:
    """Return the installed version of each of `PACKAGES`."""
    return {name: version(name) for name in PACKAGES}


def git_state() -> dict[str, Any]:
    """Return the commit of the current Git checkout and whether it has no changes; outside of one, None and False."""
    changes = _git("status", "--porcelain", "--ignore-submodules", without_programs=True)
    return {"git_commit": _git("rev-parse", "HEAD"), "git_dirty": bool(changes)}


def _git(*arguments: str, without_programs: bool = False) -> str | None:
    """Return the output of a Git command, or None if it fails.

    Args:
        arguments: the command line after git.
        without_programs: whether to ignore the programs that the settings of the checkout name. The checkout may be a
            stranger's, and `git status` would run a file monitor and filters of file contents.
    """
    settings = {"core.fsmonitor": "false"} | dict.fromkeys(_filters(), "") if without_programs else {}
    environ = os.environ | {"GIT_OPTIONAL_LOCKS": "0", "GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        environ |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10, check=True, env=environ)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout.strip("\n")


def _filters() -> list[str]:
    """Return the keys of Git's settings that name a filter of file contents."""
    names = _git("config", "-z", "--name-only", "--get-regexp", r"^filter\..*\.(clean|smudge|process|required)$")
    return [name for name in (names or "").split("\0") if name]
