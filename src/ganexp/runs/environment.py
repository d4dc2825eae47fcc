"""Record the environment of a run: time, versions, machine, command and commits. This module must not import torch.

The build hook of the package imports this module, so it may import only the standard library, and modules of ganexp
that do the same.
"""

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
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

PACKAGE = Path(ganexp.__file__).resolve().parent
TYPED_COMMAND = "GANEXP_COMMAND"  # environment variable: the typed arguments as JSON, also for child processes
COMMIT_FILE = "commit.json"  # in an installed package: `git_state` of the checkout from which the package was built


def forget_empty_places() -> None:
    """Remove GANEXP_CACHE and GANEXP_DATA if they are empty: an empty path would mean the working directory."""
    for name in ("GANEXP_CACHE", "GANEXP_DATA"):
        if not os.environ.get(name):
            os.environ.pop(name, None)


def now() -> str:
    """Return the current time in UTC as ISO 8601 with a resolution of one second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def environment() -> dict[str, Any]:
    """Return the versions, machine, command line and commits of this process, in the format of run.json.

    The command line is the one that was typed, also in a job of a sweep, where `sys.argv` has the arguments that a
    launcher needs.

    The commit of ganexp is separate from the commit of the repository in which the command was started, because this
    repository may be the user's.
    """
    own = own_state()
    return {
        "ganexp": ganexp.__version__,
        "ganexp_commit": own["commit"],
        "ganexp_dirty": own["dirty"],
        "python": platform.python_version(),
        "versions": package_versions(),
        "host": platform.node(),
        "platform": platform.platform(),
        "command": json.loads(os.environ[TYPED_COMMAND]) if TYPED_COMMAND in os.environ else sys.argv[1:],
        "repository": git_state(Path.cwd()),
    }


def package_versions() -> dict[str, str]:
    """Return the installed version of each of `PACKAGES`."""
    return {name: version(name) for name in PACKAGES}


def own_state(package: Path = PACKAGE) -> dict[str, Any]:
    """Return ganexp's own commit, and whether its code has uncommitted changes; None and False if they are not known.

    An installed package has a file with the commit. For an editable install, Git reads the commit from the checkout.

    Args:
        package: the directory of the package.
    """
    if (package / COMMIT_FILE).exists():
        return json.loads((package / COMMIT_FILE).read_text(encoding="utf-8"))
    checkout = package.parents[1]
    is_checkout = (checkout / ".git").exists()  # without this test, Git could find a repository above the package
    return git_state(checkout) if is_checkout else {"commit": None, "dirty": False}


def git_state(directory: Path) -> dict[str, Any]:
    """Return the Git commit of the checkout at `directory`, and whether the checkout has uncommitted changes.

    If these are not known, the values are None and False.
    """
    changes = _git(directory, "status", "--porcelain", "--ignore-submodules", without_programs=True)
    return {"commit": _git(directory, "rev-parse", "HEAD"), "dirty": bool(changes)}


def _git(directory: Path, *arguments: str, without_programs: bool = False) -> str | None:
    """Return the output of a Git command, or None if it fails.

    The checkout may come from a stranger. Git must not fetch objects that the checkout lacks, because a fetch could run
    programs that the settings of the checkout name.

    Args:
        directory: the directory in which Git runs.
        arguments: the command line after git.
        without_programs: whether to ignore the programs that `git status` would run because the settings of the
            checkout name them: a file monitor, and filters of file contents.
    """
    settings = {"core.fsmonitor": "false"} | dict.fromkeys(_filters(directory), "") if without_programs else {}
    # Older versions of Git know only GIT_ALLOW_PROTOCOL.
    environ = os.environ | {"GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}
    environ |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        environ |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    try:
        command = ["git", "-C", str(directory), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True, env=environ)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout.strip("\n")


def _filters(directory: Path) -> list[str]:
    """Return the keys of the Git settings that define filters of file contents."""
    names = _git(
        directory, "config", "-z", "--name-only", "--get-regexp", r"^filter\..*\.(clean|smudge|process|required)$"
    )
    return [name for name in (names or "").split("\0") if name]
