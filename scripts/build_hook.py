"""Store the commit of the checkout in the packages that hatchling builds, so that run.json can name this commit."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = Path(__file__).resolve().parents[1] / "src"
PLACES = {"wheel": "ganexp", "sdist": "src/ganexp"}  # the directory of the package in each kind of archive


class CommitHook(BuildHookInterface):
    """Add the file with the commit to a wheel or a source distribution.

    An editable install needs no file, because ganexp asks Git for the commit at run time. A wheel that is built from a
    source distribution gets the file from this distribution.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the file to a temporary directory, and tell hatchling to pack the file from there."""
        self._scratch = tempfile.TemporaryDirectory(prefix="ganexp-")
        if version == "editable" or not (SOURCES.parent / ".git").exists():
            return
        sys.path.insert(0, str(SOURCES))
        from ganexp.runs.environment import COMMIT_FILE, git_state

        file = Path(self._scratch.name) / COMMIT_FILE
        file.write_text(json.dumps(git_state(SOURCES.parent)) + "\n", encoding="utf-8")
        build_data["force_include"][str(file)] = f"{PLACES[self.target_name]}/{COMMIT_FILE}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the temporary directory."""
        self._scratch.cleanup()
