"""Files from a stranger: they try to run code, or to read, change or delete the user's files.

Each attack is a run directory, a sweep, a checkpoint, a dataset or a Git checkout, with the command that a user could
start on it. The command may refuse the files, or use them without harm. The user's files are in the directory `mine`.
"""

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

SMALL = (
    "schedule.steps=2",
    "schedule.evaluate_every=1",
    "schedule.batch_size=4",
    "trainer=cpu",
    "trainer.log_every=1",
    "metrics=none",
)
TRAIN = (*SMALL, "callbacks=[progress,sample_grids,curves]", "hydra.run.dir=run")
SECRET = "a secret of the user"
MINE = {"secret.txt": SECRET.encode(), "thesis.ckpt": b"years of work"}
HACKED = "hacked"  # the file that the code of a stranger creates
TARGET = "logging.FileHandler"  # this class creates a file, and is in no list of dangerous functions
NODE = f"{{_target_: {TARGET}, filename: {HACKED}}}"
PROGRAM = f"#!/bin/sh\ntouch {HACKED}\n"
UP = "../" * 24  # leads to the root directory from any directory of config files

Write = Callable[[Path], None]


@dataclass(frozen=True)
class Attack:
    """Files of a stranger, and the command that a user starts on them.

    Attributes:
        name: what the files try to do.
        arguments: the command line after ganexp.
        write: a function that writes the files into the working directory, in which `run` and `mine` exist already.
    """

    name: str
    arguments: tuple[str, ...]
    write: Write


def prepare(attack: Attack, run: Path, directory: Path) -> None:
    """Create `directory` with a copy of `run`, the user's files, and the files of the attack."""
    shutil.copytree(run, directory / "run")
    (directory / "mine").mkdir()
    for name, content in MINE.items():
        (directory / "mine" / name).write_bytes(content)
    (directory / "bin").mkdir()
    _program(directory / "bin" / "gs")  # `environment` puts this program before the real Ghostscript in PATH
    attack.write(directory)


def environment(directory: Path) -> dict[str, str]:
    """Return the environment variables to set for a command that is started on the files of an attack."""
    return {"PATH": f"{directory / 'bin'}{os.pathsep}{os.environ['PATH']}", "GANEXP_CACHE": str(directory / "cache")}


def harm(directory: Path, text: str) -> list[str]:
    """Return the signs of harm: code ran, the user's files were read or changed, or a traceback was printed."""
    found = [f"{path.name} exists" for path in directory.rglob(HACKED)]
    mine = {path.name: path.read_bytes() if path.is_file() else b"" for path in (directory / "mine").iterdir()}
    found += [f"mine/{name} changed" for name in sorted(mine.keys() | MINE.keys()) if mine.get(name) != MINE.get(name)]
    written = [path for path in directory.rglob("*") if path.is_file() and not path.is_symlink()]
    readers = [str(path) for path in written if path.parent.name != "mine" and _holds_secret(path)]
    found += [f"{path} has the secret" for path in readers]
    found += ["the secret was printed"] * (SECRET in text)
    return found + ["traceback"] * ("Traceback" in text)


def _holds_secret(path: Path) -> bool:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return any(SECRET.encode() in archive.read(name) for name in archive.namelist())
    return SECRET.encode() in path.read_bytes()


def _program(path: Path) -> None:
    path.write_text(PROGRAM)
    path.chmod(0o755)


def _sweep(*overrides: str) -> Write:
    """Return a function that writes a sweep with these overrides; HERE in an override stands for the sweep's path."""

    def write(directory: Path) -> None:
        sweep = directory / "sweep"
        sweep.mkdir()
        shared = "hydra.job.config.override_dirname.exclude_keys=['schedule.steps']"
        given = sorted((*overrides, *SMALL, "seed=1,2", shared), key=lambda override: override.startswith("hydra"))
        stored = [override.replace("HERE", str(sweep)) for override in given]  # in the same order as in a real sweep
        (sweep / "sweep.json").write_text(json.dumps({"overrides": stored, "started": "2026-01-01T00:00:00+00:00"}))
        (sweep / "evil.yaml").write_text(f"adversarial: {NODE}\n")

    return write


def _links(target: str, *names: str) -> Write:
    """Return a function that replaces the files or directories `names` by links to the path `target` in `mine`."""

    def write(directory: Path) -> None:
        for name in names:
            place = directory / name
            if place.is_dir():
                shutil.rmtree(place)
            place.unlink(missing_ok=True)
            place.parent.mkdir(exist_ok=True)
            place.symlink_to(directory / "mine" / target)

    return write


def _both(first: Write, second: Write) -> Write:
    def write(directory: Path) -> None:
        first(directory)
        second(directory)

    return write


def _change_config(key: str, node: Any, directory: Path) -> None:
    values = OmegaConf.load(directory / "run" / "config.yaml")
    OmegaConf.update(values, key, node, merge=False, force_add=True)
    OmegaConf.save(values, directory / "run" / "config.yaml")
    _as_killed(directory)


def _append_to_config(text: str, directory: Path) -> None:
    with (directory / "run" / "config.yaml").open("a") as file:
        file.write(text)
    _as_killed(directory)


def _as_killed(directory: Path) -> None:
    (directory / "run" / "run.json").write_text("{}")


class _Code:
    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (HACKED, "w"))


def _pickled_code(name: str, directory: Path) -> None:
    torch.save({"state_dict": _Code(), "ganexp": {"step": 1}}, directory / "run" / name)
    _as_killed(directory)


def _paths_in_checkpoint(directory: Path) -> None:
    """In last.ckpt, replace the checkpoint paths in the states of the callbacks by the path of a user's file."""
    path = directory / "run" / "checkpoints" / "last.ckpt"
    thesis = str(directory / "mine" / "thesis.ckpt")
    named = {"best_k_models": {thesis: torch.tensor(1.0)}, "dirpath": str(directory / "mine")}
    checkpoint = torch.load(path, weights_only=True)
    for state in checkpoint["callbacks"].values():
        for key in state if isinstance(state, dict) else ():
            state[key] = thesis if key.endswith("_path") else named.get(key, state[key])
    torch.save(checkpoint, path)
    _as_killed(directory)


def _ghostscript(directory: Path) -> None:
    (directory / "images").mkdir()
    for number in range(8):
        text = f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n{number} pop showpage\n"
        (directory / "images" / f"{number}.png").write_text(text)


def _checkout(setting: str, directory: Path) -> None:
    """Make the working directory a Git checkout whose settings name a program."""
    git = partial(subprocess.run, cwd=directory, check=True, capture_output=True)
    git(["git", "init", "-q"])
    _program(directory / "program")
    (directory / ".gitattributes").write_text("* filter=x diff=x\n")
    git(["git", "config", setting, str(directory / "program")])


def _attacks() -> Iterator[Attack]:
    yield from _attacks_by_sweeps()
    yield from _attacks_by_links()
    for command in (("resume", "run"), ("sample", "ckpt=run", "n=4"), ("evaluate", "ckpt=run")):
        for key in ("model.generator", "callbacks.x", "data.source", "schedule.updates", "loss.penalties.x.inner"):
            node = {"_target_": TARGET, "filename": HACKED}
            if command[0] == "resume" or not key.startswith("callbacks"):
                yield Attack(f"{command[0]}: {key} of config.yaml", command, partial(_change_config, key, node))
        nodes = [{"_target_": TARGET, "filename": HACKED, "_partial_": True}]
        yield Attack(f"{command[0]}: list in config.yaml", command, partial(_change_config, "augment.x", nodes))
        tag = f"x: !!python/object/apply:{TARGET} [{HACKED}]\n"
        yield Attack(f"{command[0]}: tag in config.yaml", command, partial(_append_to_config, tag))
        code = partial(_pickled_code, "checkpoints/last.ckpt")
        yield Attack(f"{command[0]}: code in a checkpoint", command, code)
    yield Attack("resume: paths in a checkpoint", ("resume", "run", "schedule.steps=4"), _paths_in_checkpoint)
    images = ("data=folder", "data.path=images", "data.resolution=8", "data.workers=0")
    yield Attack("train: EPS named .png", (*SMALL, "callbacks=progress", *images), _ghostscript)
    for setting in ("core.fsmonitor", "filter.x.clean", "filter.x.process"):
        command = (*SMALL, "callbacks=progress")
        yield Attack(f"train: {setting} of a checkout", command, partial(_checkout, setting))


def _attacks_by_sweeps() -> Iterator[Attack]:
    evil = f"{UP}HERE/evil"
    sweeps = {
        "target": (f"loss.adversarial._target_={TARGET}", f"+loss.adversarial.filename={HACKED}"),
        "target in a list of values": (f"loss.adversarial._target_=ganexp.losses.adversarial.Hinge,{TARGET}",),
        "target in a node": (f"+callbacks.x={NODE}",),
        "target in a list": (f"++augment.x=[{NODE}]",),
        "target behind an interpolation": ("loss.adversarial._target_=${name}", f"name={TARGET}"),
        "target behind a resolver": (f"loss.adversarial=${{oc.create:{NODE}}}",),
        "option elsewhere": (f"loss={evil}",),
        "option elsewhere, quoted": (f"loss='{evil}'",),
        "option elsewhere in a sweep": (f"loss=hinge,{evil}",),
        "option elsewhere in a list": (f"callbacks=[progress,{evil}]",),
        "option elsewhere by a glob": ("loss=glob(../*)",),
        "group elsewhere": (f"+{UP}HERE@callbacks=evil",),
        "parameter of the sweeper": (f"+hydra.sweeper.params={{loss: '{evil}'}}",),
        "one parameter of the sweeper": (f"+hydra.sweeper.params.loss={evil}",),
        "parameters in a node": (f"hydra.sweeper={{params: {{loss: '{evil}'}}}}",),
        "files of Hydra elsewhere": ("+hydra.sweeper.params={hydra.output_subdir: ../../mine}",),
        "callback of Hydra": (f"+hydra.callbacks.x={NODE}",),
        "sweeper": (f"hydra.sweeper._target_={TARGET}",),
        "search path": ("hydra.searchpath=[file://HERE]", "loss=evil"),
        "directory of configs": ("--config-dir=HERE", "loss=evil"),
        "jobs elsewhere": ("hydra.sweep.subdir=../mine/${hydra.job.num}",),
    }
    for name, overrides in sweeps.items():
        yield Attack(f"sweep: {name}", ("resume", "sweep"), _sweep(*overrides))


def _attacks_by_links() -> Iterator[Attack]:
    resume, evaluate = ("resume", "run", "schedule.steps=4"), ("evaluate", "ckpt=run", "metrics=classifier")
    for name in ("run.json", "config.yaml", "metrics.jsonl", "curves.png", ".lock", "checkpoints/last.ckpt"):
        for command in (resume, ("report", "run"), ("report", "--bundle", "run")):
            yield Attack(f"{' '.join(command[:2])}: link {name}", command, _links("secret.txt", f"run/{name}"))
    yield Attack("resume: link samples", resume, _links("", "run/samples"))
    yield Attack("resume: link checkpoints", resume, _links("", "run/checkpoints"))
    yield Attack("sample: link samples", ("sample", "ckpt=run", "n=4"), _links("", "run/samples"))
    yield Attack("evaluate: link scores.json", evaluate, _links("secret.txt", "run/scores.json"))
    yield Attack("report: link report", ("report", "run"), _links("", "run/report"))
    for name in (".ganexp-report", "index.html", "table.csv"):
        target = "new.txt" if name.startswith(".") else "secret.txt"
        yield Attack(f"report: link {name}", ("report", "run"), _links(target, f"run/report/{name}"))
        yield Attack(f"report of a directory: link {name}", ("report", "."), _links(target, f"report/{name}"))
    yield Attack("report of a directory: link report", ("report", "."), _links("", "report"))
    stored = _sweep("hydra.sweep.subdir=job-${hydra.job.num}")
    for name, target in (("job-0", ""), (".lock", "thesis.ckpt"), ("multirun.yaml", "thesis.ckpt")):
        yield Attack(f"sweep: link {name}", ("resume", "sweep"), _both(stored, _links(target, f"sweep/{name}")))


ATTACKS = tuple(_attacks())
