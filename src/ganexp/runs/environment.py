"""Record the environment of a run: time, versions, machine, command and commit. Must not import torch."""

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
    return {"git_commit": _git("rev-parse", "HEAD"), "git_dirty": bool(_git("status", "--porcelain"))}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
