"""A run's folder on disk: what lies where, and how it is claimed, written and read. No torch.

config.yaml      the resolved config
run.json         status, versions, machine, times, final scores
metrics.jsonl    one line a logged point: step, axes, losses or scores
samples/         grids of fixed latents by step, interpolations
curves.png       losses and scores by step
checkpoints/     best.ckpt (by metrics.best_by), last.ckpt
"""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from omegaconf import DictConfig, OmegaConf

import ganexp
from ganexp.errors import UserError

PACKAGES = (
    "torch",
    "torchvision",
    "pytorch-lightning",
    "torchmetrics",
    "torch-fidelity",
    "hydra-core",
    "numpy",
)


class RunFolder:
    """The files of one run under `path`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self.config = self.path / "config.yaml"
        self.run = self.path / "run.json"
        self.metrics = self.path / "metrics.jsonl"
        self.samples = self.path / "samples"
        self.curves = self.path / "curves.png"
        self.best = self.path / "checkpoints" / "best.ckpt"
        self.last = self.path / "checkpoints" / "last.ckpt"

    @classmethod
    def claim(cls, path: str | Path) -> "RunFolder":
        """A folder of our own: `path`, or with -2, -3 … behind if another run has taken it, even at the same moment."""
        for attempt in range(1, 1000):
            folder = cls(path if attempt == 1 else f"{path}-{attempt}")
            folder.path.mkdir(parents=True, exist_ok=True)
            try:
                folder.run.touch(exist_ok=False)
            except FileExistsError:
                continue
            return folder
        raise RuntimeError(f"a thousand runs in {path}")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from training in this folder; let go of even by a kill.

        Raises:
            UserError: another process has it.
        """
        try:
            with FileLock(self.path / ".lock", timeout=0):
                yield
        except Timeout:
            raise UserError(f"{self.path} is being trained by another process: wait for it, or stop it.") from None

    def save_config(self, cfg: DictConfig) -> None:
        """Writes config.yaml in one piece."""
        part = self.config.with_suffix(".part")
        OmegaConf.save(cfg, part)
        os.replace(part, self.config)

    def describe(self, **facts: Any) -> None:
        """Adds facts to run.json, in one piece."""
        part = self.run.with_suffix(".part")
        part.write_text(json.dumps(self.facts() | facts, indent=2) + "\n")
        os.replace(part, self.run)

    def facts(self) -> dict[str, Any]:
        text = self.run.read_text() if self.run.exists() else ""
        return json.loads(text) if text else {}

    def rows(self) -> list[dict[str, Any]]:
        """The logged points, in order; a last line cut short by a kill is passed over."""
        if not self.metrics.exists():
            return []
        rows = []
        for line in self.metrics.read_text().splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                break
        return rows

    def forget_after(self, step: int) -> None:
        """Drops logged points past `step`: they will come again."""
        rows = [row for row in self.rows() if row["step"] <= step]
        part = self.metrics.with_suffix(".part")
        part.write_text("".join(json.dumps(row) + "\n" for row in rows))
        os.replace(part, self.metrics)


def newest_below(path: str | Path) -> str:
    """A question to who named the folder of runs instead of one of them; nothing where there is none below."""
    runs = sorted(Path(path).expanduser().glob("*/run.json"), key=lambda file: file.stat().st_mtime)
    return f"\nDid you mean {runs[-1].parent}?" if runs else ""


def now() -> str:
    """The time in UTC, as ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def environment() -> dict[str, Any]:
    """Versions, machine, command and git commit (of the working directory, where it is a checkout)."""
    return {
        "ganexp": ganexp.__version__,
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
        "host": platform.node(),
        "platform": platform.platform(),
        "command": sys.argv[1:],
        "git_commit": _git("rev-parse", "HEAD"),
        "git_dirty": bool(_git("status", "--porcelain")),
    }


def _git(*words: str) -> str | None:
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
