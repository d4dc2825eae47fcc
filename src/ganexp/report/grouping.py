"""Group runs that differ only in their seed."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ganexp.report.run import CALM_STATUSES, WITHOUT_SETTINGS, Run
from ganexp.report.training_images import tell_images_apart
from ganexp.report.values import plain

# Keys of run.json that should have equal values in all runs of a configuration, and their names in warnings.
SHARED_METADATA = {"ganexp": "versions of ganexp", "ganexp_commit": "commits of ganexp", "device": "kinds of devices"}
CPU = "CPU"
EARLY = "ended early"  # what the text of `ended_early` says after the number of seeds

Key = TypeVar("Key", bound=Hashable)


def shared_metadata(runs: Sequence[Run]) -> dict[str, int]:
    """Count the versions of ganexp, the commits and the kinds of devices of `runs`; counts of 1 are left out."""
    found = {}
    for key, name in SHARED_METADATA.items():
        values = {plain(run.metadata.get(key)) for run in runs}
        found[name] = len(set(map(device_kind, values)) if key == "device" else values)
    return {name: count for name, count in found.items() if count > 1}


def device_kind(name: str) -> str:
    """Return the name of a device; for a CPU, without its number of threads."""
    return CPU if name.startswith(CPU) else plain(name)


@dataclass
class Configuration:
    """The runs of one configuration.

    Attributes:
        settings: the settings that all runs of the configuration share.
        runs: the runs in the order of their paths.
        label: the name of the configuration in the report.
        counted: the runs that are included in means: the newest finished run of each seed.
        warnings: remarks on the counted runs, such as that they have different lengths or devices.
    """

    settings: dict[str, Any]
    runs: list[Run]
    label: str = ""
    counted: list[Run] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def seeds(self) -> set[Any]:
        """Return the seeds of all runs."""
        return {run.seed for run in self.runs}

    @property
    def ended_early(self) -> str:
        """Return how many seeds ended early (failed, died, were pruned) and have no finished run; "" if no seed did.

        The scores of the other seeds are too good if the seeds that ended early are those that trained badly.
        """
        finished = {run.seed for run in self.counted}
        lost = {run.seed for run in self.runs if run.status not in CALM_STATUSES} - finished
        return f"{len(lost)} of {len(self.seeds)} seeds {EARLY}" if lost else ""


def group_runs(runs: Iterable[Run]) -> list[Configuration]:
    """Return the configurations in the order of their first run, without labels; runs without settings are left out."""
    configurations: dict[tuple, Configuration] = {}
    readable = [run for run in runs if run.status not in WITHOUT_SETTINGS]
    tell_images_apart(readable)
    for run in readable:
        key = tuple(sorted(run.settings.items(), key=lambda item: item[0]))
        configurations.setdefault(key, Configuration(run.settings, [])).runs.append(run)
    for configuration in configurations.values():
        configuration.counted = _newest_of_each_seed(configuration.runs)
        configuration.warnings = [*filter(None, [configuration.ended_early]), *_warnings(configuration.counted)]
    return list(configurations.values())


def differing_keys(rows: Sequence[Mapping[Key, Any]]) -> list[Key]:
    """Return the keys that do not have the same value in all `rows`, in the order in which the rows name them."""
    keys = {key: None for row in rows for key in row}
    return [key for key in keys if any(row.get(key) != rows[0].get(key) for row in rows)]


def _newest_of_each_seed(runs: list[Run]) -> list[Run]:
    """Return the newest finished run of each seed, and add a warning to each run that a newer one replaces."""
    finished = [run for run in runs if run.status == "finished"]
    newest: dict[Hashable, Run] = {}
    for run in sorted(finished, key=_age):
        older = newest.get(run.seed)
        if older:
            started_together = _age(older)[0] == _age(run)[0]
            what = "is a copy or started at the same time," if started_together else "is newer"
            older.warnings.append(f"not counted: {run.label} {what} and has the same settings and seed")
        newest[run.seed] = run
    return [run for run in finished if newest[run.seed] is run]


def _age(run: Run) -> tuple[str, str, int]:
    """Return when the run started and ended, and its number of evaluations, to put runs and their copies in order."""
    return plain(run.metadata.get("started")), plain(run.metadata.get("ended")), len(run.evaluated)


def _warnings(counted: list[Run]) -> list[str]:
    warnings = []
    if len({run.last_step for run in counted}) > 1:
        warnings.append("runs of different length")
    if count := sum(bool(run.untrained_remark) for run in counted):
        warnings.append(
            f"in {count} of {len(counted)} runs, the networks at step 0 scored better than the best checkpoint"
        )
    return warnings + [f"{count} {name}" for name, count in shared_metadata(counted).items()]
