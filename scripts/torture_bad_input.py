"""Try wrong values for every setting, wrong command lines and damaged files.

The values are fixed examples, and numbers just outside the ranges that the settings declare. A command may succeed. If
it fails, it must end within 30 s with the exit code 1 or 2, and leave no new files. Its output must name the wrong key
or file, have at most ten lines, and contain no traceback. A run that starts with a legitimate value and then fails, for
example because of an extreme learning rate, keeps its directory. Every input runs in a new directory: most inputs in a
fork of this process, and some in a new process.
"""

import argparse
import json
import random
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from torture_damage import (
    SWEEP,
    TRAIN,
    damaged_caches,
    damaged_configs,
    damaged_data,
    damaged_runs,
    damaged_sweeps,
)
from torture_inputs import command_lines, wrong_values, wrong_values_of_commands
from torture_trials import HANG, RUN, Outcome, Trial, fault, run_in, run_trial

SHOWN = 600  # maximum number of characters shown from the output of a faulty command
KINDS = ("values", "lines", "damage")
SHARES = {"values": 0.6, "lines": 0.15, "damage": 0.25}  # share of each kind among the inputs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this topic."""
    parser.add_argument("--n", type=int, default=1000, help="number of inputs, drawn at random (1000)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random choice (0)")
    parser.add_argument("--processes", type=int, default=50, help="how many inputs run as separate processes (50)")
    parser.add_argument("--only", choices=KINDS, help="try only inputs of this kind")
    parser.add_argument("--matching", default="", help="try only inputs whose command line contains this text")
    parser.add_argument("--json", type=Path, help="write every input and its outcome to this file")


def main(arguments: argparse.Namespace) -> int:
    """Run the inputs, and print each fault and how often each outcome occurred; return 0 if there is no fault."""
    with tempfile.TemporaryDirectory(prefix="torture-runs-") as directory:
        chosen = _choose(arguments, _runs(Path(directory)))
        results, start = [], time.monotonic()
        counts: Counter[str] = Counter()
        for number, (kind, trial) in enumerate(chosen, 1):
            outcome = run_trial(trial, as_process=number <= arguments.processes)
            wrong = fault(trial, outcome)
            counts[_class(outcome, wrong)] += 1
            results.append(_result(kind, trial, outcome, wrong))
            if wrong:
                print(_describe(kind, trial, outcome, wrong), flush=True)
            if number % 50 == 0:
                print(f"{number} of {len(chosen)} in {time.monotonic() - start:.0f} s: {_counted(counts)}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))
    print(f"{len(chosen)} inputs in {time.monotonic() - start:.0f} s: {_counted(counts)}")
    return 1 if counts["fault"] else 0


def _runs(directory: Path) -> dict[str, list[Trial]]:
    """Train a run and a sweep in `directory`, and return the inputs of each kind."""
    run_in(directory, (*TRAIN, f"hydra.run.dir={RUN}"))
    run_in(directory, SWEEP)
    run, sweep, cache = directory / RUN, directory / "sweep", directory / "cache"
    return {
        "values": [*wrong_values(), *wrong_values_of_commands(run)],
        "lines": [*command_lines(), *damaged_configs()],
        "damage": [*damaged_runs(run), *damaged_sweeps(sweep), *damaged_caches(cache), *damaged_data()],
    }


def _choose(arguments: argparse.Namespace, trials: dict[str, list[Trial]]) -> list[tuple[str, Trial]]:
    """Return up to `--n` inputs of all kinds, or of the kind `--only`, in a random order that `--seed` determines."""
    draw = random.Random(arguments.seed)
    chosen: list[tuple[str, Trial]] = []
    for kind in [arguments.only] if arguments.only else KINDS:
        share = 1.0 if arguments.only else SHARES[kind]
        matching = [trial for trial in trials[kind] if arguments.matching in " ".join(trial.arguments)]
        count = min(len(matching), round(arguments.n * share))
        chosen += [(kind, trial) for trial in draw.sample(matching, count)]
        print(f"{kind}: {count} of {len(matching)} inputs", flush=True)
    draw.shuffle(chosen)
    return chosen


def _class(outcome: Outcome, wrong: str) -> str:
    if wrong:
        return "fault"
    if outcome.code in (0, HANG):
        return "ran"
    return "failed while it ran" if outcome.started else "refused cleanly"


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[name]} {name}" for name in sorted(counts))


def _result(kind: str, trial: Trial, outcome: Outcome, wrong: str) -> dict[str, object]:
    how = getattr(trial.prepare, "args", ())[1:]
    return {
        "kind": kind,
        "command": list(trial.arguments),
        "damage": [str(value)[:80] for value in how],
        "code": outcome.code,
        "class": _class(outcome, wrong),
        "fault": wrong,
        "text": outcome.text,
    }


def _describe(kind: str, trial: Trial, outcome: Outcome, wrong: str) -> str:
    text = re.sub(r"\n+", "\n    ", outcome.text.strip()[-SHOWN:])
    damage = " ".join(_lines(trial))
    return f"FAULT {kind}: {wrong} {damage}\n  ganexp {' '.join(trial.arguments)}\n    {text}"


def _lines(trial: Trial) -> Iterator[str]:
    for value in getattr(trial.prepare, "args", ()):
        if isinstance(value, str):
            yield value
