"""Sweeps: what Hydra calls around their points, and how a stopped one goes on. No torch.

A point is a pure function of the words and its number, which is why the same words in the same folder go on.
"""

import json
import logging
import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import CompactHydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from ganexp.config import schema
from ganexp.errors import UserError
from ganexp.runs.run_directory import RunFolder
from ganexp.runs.sweep_directory import DONE, SweepFolder, print_points

log = logging.getLogger(__name__)

_SWEEPER = re.compile(r"\+*hydra([./]sweeper[./=]|\.sweep\.subdir=)")  # what else than plain words chooses the points
_LAUNCHER = re.compile(r"\+*hydra[./]launcher[./=]")


def run_point(path: str, sweep_path: str, words: list[str], start: Callable[[], Any]) -> float | None:
    """Starts the point that belongs in `path`, goes on with it, or leaves it be if it is done; writes the table.

    Returns its best FID; None without scores, or if it failed, which stops no other point.
    """
    folder, sweep = RunFolder(path), SweepFolder(sweep_path)
    point = os.path.relpath(folder.path, sweep.path)
    error = None
    if (status := folder.facts().get("status")) in DONE:
        print(f"{status} before: {point}")
    else:
        sweep.note(point, overrides=words, status="running", error=None)
        try:
            if folder.config.exists():
                from ganexp.commands.train import resume

                resume(path)
            else:
                folder.run.unlink(missing_ok=True)  # killed before it began
                start()
        except Exception as problem:
            known = isinstance(problem, UserError)
            error = str(problem) if known else f"{type(problem).__name__}: {problem}"
            log.error("point failed: %s\n%s", " ".join(words), error, exc_info=None if known else problem)
        except BaseException:
            sweep.note(point, status="interrupted")
            raise
    facts = folder.facts()
    result = {
        "status": "failed" if error else facts["status"],
        "objective": None if error else facts.get("objective"),
        "scores": (facts.get("scores") or {}).get("best"),
        "error": error,
    }
    sweep.note(point, overrides=words, **result)
    return result["objective"]


def resumed_words(path: str, given: list[str]) -> list[str]:
    """The words that go on with the sweep in `path`: its own, and of `given` the launcher and Hydra's flags.

    Raises:
        UserError: no sweep there, a word that would change its points, or a stored one that names a stranger's code.
    """
    sweep = SweepFolder(Path(path).expanduser())
    try:
        stored = sweep.read()["words"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"sweep.resume={path}: no sweep there, or none with a sweep.json that can be read.") from None
    for word in given:
        if "=" in word and not _LAUNCHER.match(word) and not word.startswith("--"):
            raise UserError(
                f"{word}: a sweep goes on with its own points. Beside sweep.resume say hydra/launcher=… alone."
            )
    for word in stored:
        _refuse_code(str(word), sweep.file)
    where = str(sweep.path).replace("\\", "\\\\").replace("'", "\\'")
    return ["-m", *(str(word) for word in stored), f"hydra.sweep.dir='{where}'", *(w for w in given if w != "-m")]


def _refuse_code(word: str, file: Path) -> None:
    """The words' author may be a stranger: they must run none of their code."""
    if word.startswith("-") or ("hydra" in word.split("=")[0] and not _SWEEPER.match(word)):
        raise UserError(f"{file}: {word} is not a word that a sweep stores.")
    if targets := re.findall(r"(?:_target_|custom_search_space)\W*([\w.]*)", word):
        from ganexp.config import trust

        if not all(trust.trusted(target) for target in targets):
            raise UserError(f"{file}: {word} is not part of ganexp. GANEXP_TRUST=PACKAGE allows your own.")


begun: list[SweepFolder] = []  # by this process


class Sweep(Callback):
    """Keeps the table of a training sweep and shows it at the end; collects what `describe` says of each point."""

    def __init__(self) -> None:
        self.training = self.sweeping = False
        self.described: list[dict[str, Any]] = []

    def __getstate__(self) -> dict[str, Any]:
        return {"training": self.training, "sweeping": self.sweeping, "described": []}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """In a worker process of a launcher, which knows nothing yet of our schemas and resolvers."""
        self.__dict__.update(state)
        schema.register()

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        self.sweeping, self.training = True, config.hydra.job.config_name == "train"
        if config.hydra.job.config_name == "describe":
            self._describe_in_passing(config)
        if not self.training:
            return
        sampler = OmegaConf.select(config, "hydra.sweeper.sampler")
        if sampler is not None and "seed" in sampler and sampler.seed is None:
            with read_write(config), open_dict(config):
                config.hydra.sweeper.sampler.seed = 0  # or the points would be others when the sweep goes on
        with read_write(config), open_dict(config):
            config.hydra.overrides.hydra.append(_leave_out_of_names(config))
        self.folder = SweepFolder(config.hydra.sweep.dir)
        words = config.hydra.overrides
        try:
            self.folder.create([*words.task, *(word for word in words.hydra if _SWEEPER.match(word))])
        except UserError as error:
            sys.exit(str(error))
        begun.append(self.folder)
        anew = [word for word in words.hydra if _LAUNCHER.match(word)]
        mine = [s.path for s in config.hydra.runtime.config_sources if s.provider == "command-line"]
        command = ["ganexp", f"sweep.resume={_short(self.folder.path)}", *anew, *(f"--config-dir {p}" for p in mine)]
        print(f"sweep folder: {_short(self.folder.path)}; if it is stopped: {' '.join(command)}", flush=True)

    def _describe_in_passing(self, config: DictConfig) -> None:
        """Hydra writes a file into every sweep's folder: it gets one that goes away."""
        if not config.hydra.launcher._target_.endswith(".BasicLauncher"):
            sys.exit("describe looks at its points one after another, here: leave out hydra/launcher")
        self.scratch = tempfile.TemporaryDirectory(prefix="ganexp-")
        with read_write(config), open_dict(config):
            config.hydra.sweep.dir = self.scratch.name
            config.hydra.overrides.hydra.append(f"hydra.sweep.dir={self.scratch.name}")

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        if self.training and not config.hydra.launcher._target_.endswith(".BasicLauncher"):
            os.environ["TERM"] = "dumb"  # no live progress bars of several processes in one terminal
        threads = self.training and config.hydra.launcher.get("cpus_per_task")
        if threads:  # joblib sees to its workers' share by itself
            import torch

            torch.set_num_threads(threads)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        if not self.sweeping:
            return
        if job_return.status != JobStatus.FAILED:
            if config.hydra.job.config_name == "describe":
                self.described.append({"overrides": job_return.overrides, **job_return.return_value})
            return
        error = job_return._return_value
        known = isinstance(error, CompactHydraException)
        log.error(
            "point failed: %s\n%s", " ".join(job_return.overrides or []), error, exc_info=None if known else error
        )

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        if config.hydra.job.config_name == "describe":
            self._tell_described()
        if not self.training:
            return
        self.folder.running.release()
        points = self.folder.read()["points"]
        if not points:
            sys.exit("The words make no point: does a glob(…) find nothing?")
        print_points(points)
        print(f"table: {_short(self.folder.file)}")
        if failed := [point for point, facts in points.items() if facts["status"] not in DONE]:
            sys.exit(f"{len(failed)} of {len(points)} points failed: see above. sweep.resume tries them again.")

    def _tell_described(self) -> None:
        self.scratch.cleanup()
        told: dict[str, Any] = {"points": self.described}
        if estimates := [point["estimate"] for point in self.described if "estimate" in point]:
            from ganexp.commands.estimate import total

            told["estimate"] = total(estimates)
        print(json.dumps(told, indent=2))
        if any("error" in point for point in self.described):
            sys.exit('some points cannot run: see "error"')


def _leave_out_of_names(config: DictConfig) -> str:
    """The word for Hydra that keeps what all points share out of the names of their folders."""
    parsed = OverridesParser.create().parse_overrides(list(config.hydra.overrides.task))
    shared = [override.get_key_element() for override in parsed if not override.is_sweep_override()]
    names = config.hydra.job.config.override_dirname
    quoted = ",".join(f"'{key}'" for key in [*names.exclude_keys, *shared])
    return f"hydra.job.config.override_dirname.exclude_keys=[{quoted}]"


def _short(path: Path) -> str:
    """Relative to where the user stands, if it lies below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
