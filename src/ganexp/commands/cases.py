"""The published cases, for `ganexp list`. Facts that need a composed config are computed once, and then cached.

This module must not import torch at import time.
"""

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from omegaconf import DictConfig, open_dict

from ganexp import __version__
from ganexp.commands.options import EXPERIMENTS, groups, header
from ganexp.config import schema
from ganexp.config.comments import first_sentence
from ganexp.config.composition import PACKAGE, composing
from ganexp.console import progress
from ganexp.errors import UserError
from ganexp.runs.atomic import write_text

SCORE = re.compile(r"\b(?:IS|FID) \d+(?:\.\d+)?")


@dataclass(frozen=True)
class Case:
    """A published case.

    Attributes:
        name: ARTICLE/CASE, the option of `experiment`.
        description: a sentence that says what the case is.
        source: the article or project that the case comes from, and further sources.
        published: the published scores, without their protocol; empty if there are none.
        dataset: the option of `data`; None if the config of the case cannot be composed, or was not composed.
        generator_parameters: number of the generator's trainable parameters; None if the generator cannot be built.
        discriminator_parameters: number of the discriminator's trainable parameters; None if the discriminator cannot
            be built.
        steps: length of the run in generator updates; None if it is not known before the images are read. If the
            losses determine the number of updates, this is the largest possible number.
        epochs: length of the run in epochs; None if it depends on the losses, or on a number of images that is not
            known.
    """

    name: str
    description: str
    source: str
    published: str
    dataset: str | None = None
    generator_parameters: int | None = None
    discriminator_parameters: int | None = None
    steps: int | None = None
    epochs: float | None = None


def cases(folders: Sequence[Path], topic: str = EXPERIMENTS, with_facts: bool = True) -> list[Case]:
    """Return the cases of a topic, in the order of their names.

    Args:
        folders: the directories of config files: ganexp's own first, then the user's.
        topic: an article, a case, or `experiment` for all cases.
        with_facts: whether to return the dataset, the numbers of parameters and the length as well. This takes a
            quarter of a second for each case that is not in the cache.
    """
    every = groups(folders)[EXPERIMENTS]
    names = every if topic == EXPERIMENTS else [name for name in every if f"{name}/".startswith(f"{topic}/")]
    facts = _cached_facts(names, folders) if with_facts and names else {}
    return [_case(name, facts.get(name, {}), folders) for name in names]


def _case(name: str, facts: Mapping[str, Any], folders: Sequence[Path]) -> Case:
    parts = header(EXPERIMENTS, name, folders)
    scores = SCORE.findall(parts.get("Published", ""))
    return Case(name, first_sentence(parts[""]), parts.get("Source", ""), ", ".join(scores), **facts)


def _cached_facts(names: Sequence[str], folders: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Return for each case the facts that need a composed config. Show a progress bar if they are not in the cache."""
    file = _cache() / f"cases-{_digest(folders)}.json"
    facts: dict[str, dict[str, Any]] = {}
    with suppress(OSError, ValueError):
        facts = json.loads(file.read_text(encoding="utf-8"))
    missing = [name for name in names if name not in facts]
    if not missing:
        return facts
    with redirect_stdout(sys.stderr):  # the standard output may be JSON
        facts |= _compute_facts(progress(missing, "reading the cases", total=len(missing)), folders)
    with suppress(OSError):  # if the cache cannot be written, the facts are computed again next time
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps(facts))
    return facts


def _cache() -> Path:
    return Path(os.path.expanduser(os.environ.get("GANEXP_CACHE", "~/.cache/ganexp")))


def _digest(folders: Sequence[Path]) -> str:
    """Return a hash of everything that the facts depend on: the config files, and the code that reads them."""
    files = [file for folder in folders for file in sorted(folder.rglob("*.yaml"))]
    files += [file for name in ("config", "models", "training") for file in sorted((PACKAGE / name).glob("*.py"))]
    files += [Path(__file__)]
    digest = hashlib.sha256(__version__.encode())
    for file in files:
        digest.update(f"{file}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:32]


def _compute_facts(names: Iterable[str], folders: Sequence[Path]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the facts of each case. The facts are empty if its config needs further settings."""
    schema.register()
    counts: dict[str, int | None] = {}  # several cases may have the same network
    with composing(folders) as compose_one:
        for name in names:
            try:
                composed = compose_one("train", [f"experiment={name}"], True)
                dataset = composed.hydra.runtime.choices["data"]
                with open_dict(composed):
                    del composed["hydra"]
                cfg = schema.resolve(composed)
            except (HydraException, UserError):
                yield name, {}
                continue
            parameters = {
                f"{network}_parameters": _count_once(cfg.model[network], counts)
                for network in ("generator", "discriminator")
            }
            yield name, {"dataset": dataset, **_length(cfg), **parameters}


def _length(cfg: DictConfig) -> dict[str, float | None]:
    """Return the length of a run in steps and in epochs; None where it is not known before the images are read."""
    from ganexp.training.length import epochs_of, in_steps, known_images

    images = known_images(cfg)
    try:
        cfg = in_steps(cfg, images)
    except UserError:
        return {"steps": None, "epochs": cfg.schedule.epochs}
    return {"steps": cfg.schedule.steps, "epochs": epochs_of(cfg, images)}


def _count_once(node: DictConfig, counts: dict[str, int | None]) -> int | None:
    key = str(node)
    if key not in counts:
        counts[key] = _count_parameters(node)
    return counts[key]


def _count_parameters(node: Mapping[str, Any]) -> int | None:
    """Return the number of trainable parameters of a network; None if the network cannot be built."""
    import torch

    from ganexp.config.instantiate import instantiate

    try:
        with torch.device("meta"):  # uses no memory, and draws no weights
            network = instantiate(node, "model")
    except UserError:
        return None
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def as_json(case: Case) -> dict[str, Any]:
    """Return a case as a dictionary, together with the command that trains the case."""
    return asdict(case) | {"command": f"ganexp experiment={case.name}"}
