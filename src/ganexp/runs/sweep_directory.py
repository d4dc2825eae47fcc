"""A sweep's folder on disk: a run folder a point, and sweep.json, their table. No torch.

words    what the sweep was asked for, its launcher and --config-dir aside
points   by folder: overrides, status, objective (best FID), scores (of the best checkpoint), error
"""

import json
import os
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from rich.console import Console
from rich.table import Table

from ganexp.errors import UserError
from ganexp.runs.run_directory import now

DONE = ("finished", "pruned")


class SweepFolder:
    """The files of one sweep under `path`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self.file = self.path / "sweep.json"
        self.running = FileLock(self.path / ".lock")  # held while the sweep runs

    def read(self) -> dict[str, Any]:
        return json.loads(self.file.read_text())

    def create(self, words: list[str]) -> None:
        """Begins the table, or goes on with the one that is there.

        Raises:
            UserError: another process is at it, or the folder holds a sweep of other words.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            self.running.acquire(timeout=0)
        except Timeout:
            raise UserError(f"{self.path} is being swept by another process: wait for it, or stop it.") from None
        if not self.file.exists():
            self._write({"words": words, "started": now(), "points": {}})
        elif (before := self.read()["words"]) != words:
            raise UserError(
                f"{self.path} holds another sweep: {' '.join(before)}\n"
                f"Go on with that one by ganexp sweep.resume={self.path}, or name another hydra.sweep.dir"
            )

    def note(self, point: str, **facts: Any) -> None:
        """Sets what is known of a point, in one piece; several processes may."""
        with FileLock(self.path / ".table.lock"):
            table = self.read()
            table["points"][point] = table["points"].get(point, {}) | facts
            table["points"] = dict(sorted(table["points"].items()))
            self._write(table)

    def _write(self, table: dict[str, Any]) -> None:
        part = self.file.with_suffix(".part")
        part.write_text(json.dumps(table, indent=2) + "\n")
        os.replace(part, self.file)

    def forget_if_empty(self) -> None:
        """Takes away what was made for a sweep that was refused before its first point."""
        made = {self.file, self.path / "multirun.yaml", self.path / ".lock"}
        if self.file.exists() and not self.read()["points"] and set(self.path.iterdir()) <= made:
            self.running.release()
            for file in made:
                file.unlink(missing_ok=True)


def print_points(points: dict[str, dict[str, Any]]) -> None:
    """The points of sweep.json as a table: the words that differ, status, scores of the best checkpoint."""
    shared = set.intersection(*(set(facts["overrides"]) for facts in points.values())) if len(points) > 1 else set()
    names = list(dict.fromkeys(n for f in points.values() for n in f["scores"] or {} if not n.endswith("_std")))
    objectives = [facts["objective"] for facts in points.values() if facts["objective"] is not None]
    table = Table("point", "status", *names)
    for facts in points.values():
        cells = [f"{facts['scores'][name]:.4g}" if name in (facts["scores"] or {}) else "" for name in names]
        best = bool(objectives) and facts["objective"] == min(objectives)
        table.add_row(_differing(facts, shared), facts["status"], *cells, style="bold" if best else None)
    Console().print(table)
    for facts in points.values():
        if facts["error"]:
            print(f"failed: {_differing(facts, shared)}\n  {facts['error']}")


def _differing(facts: dict[str, Any], shared: set[str]) -> str:
    return " ".join(word for word in facts["overrides"] if word not in shared) or "(no words)"
