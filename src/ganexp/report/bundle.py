"""Pack one run into a zip file with a model card."""

import json
import zipfile
from pathlib import Path
from typing import Any

from ganexp.errors import UserError
from ganexp.report.evaluated import FILES, PICTURES
from ganexp.report.model_card import model_card
from ganexp.report.run import UNREADABLE, Run, read_run
from ganexp.runs.atomic import replacing
from ganexp.runs.naming import slug
from ganexp.runs.run_directory import RunDirectory

ENVIRONMENT_KEYS = (
    "ganexp",
    "ganexp_commit",
    "ganexp_dirty",
    "repository",
    "python",
    "versions",
    "platform",
    "device",
    "precision",
    "command",
    "started",
    "ended",
    "resumed",
)


def bundle(path: Path, output: str | None = None, with_checkpoint: bool = False) -> Path:
    """Pack the run in the directory `path` and return the path of the zip file.

    Args:
        path: a run directory.
        output: the directory of the zip file; None means the parent of the run directory.
        with_checkpoint: whether to pack the best checkpoint, too.

    Raises:
        UserError: the run is not readable, the checkpoint does not exist, or the zip file already exists.
    """
    directory = RunDirectory(path)
    run = _read(directory)
    if with_checkpoint and not directory.best.is_file():
        raise UserError(
            f"checkpoint=true: {directory.best} does not exist. A run without scores has no best checkpoint."
        )
    name = "-".join(dict.fromkeys([slug(run.name), directory.path.name]))
    target = Path(output or directory.path.parent).expanduser() / f"{name}.zip"
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        raise UserError(f"{target} already exists. Move it, or give another directory: output=DIRECTORY")
    # not strict, because zip files have no times before 1980, and some tools set the times of all files to 1970
    options: dict[str, Any] = {"compression": zipfile.ZIP_DEFLATED, "strict_timestamps": False}
    with replacing(target) as temporary, zipfile.ZipFile(temporary, "w", **options) as archive:
        for file in _files(directory, with_checkpoint):
            archive.write(file, f"{name}/{file.relative_to(directory.path)}")
        archive.writestr(f"{name}/MODEL_CARD.md", model_card(run, with_checkpoint))
        archive.writestr(f"{name}/environment.json", _environment(run))
    return target


def _read(directory: RunDirectory) -> Run:
    if not directory.config.is_file() or not directory.metadata_file.is_file():
        raise UserError(f"{directory.path} is not a run directory: it lacks config.yaml or run.json.")
    run = read_run(directory.path, directory.path.name)
    if run.status == UNREADABLE:
        raise UserError(f"{directory.path}: {run.warnings[0]}")
    return run


def _files(directory: RunDirectory, with_checkpoint: bool) -> list[Path]:
    """Return the files to pack; links to files outside of the run directory are left out."""
    scores = sorted(directory.path.glob(FILES))
    pictures = [file for pattern in PICTURES for file in sorted(directory.path.glob(pattern))]
    images = sorted(directory.samples.rglob("*.png"))
    files = [directory.config, directory.metadata_file, *scores, directory.metrics, directory.curves]
    files += [*pictures, *images]
    if with_checkpoint:
        files.append(directory.best)
    top = directory.path.resolve()
    return [file for file in files if file.is_file() and file.resolve().is_relative_to(top)]


def _environment(run: Run) -> str:
    values = {key: run.metadata[key] for key in ENVIRONMENT_KEYS if key in run.metadata}
    return json.dumps(values, indent=2) + "\n"
