"""Keep the value that the sampler of a search got from each job. This module must not import torch."""

import json
from contextlib import suppress
from pathlib import Path

from ganexp.runs import atomic


def value_for_sampler(directory: str, value: float | None) -> float | None:
    """Return the value that a job had when it first ended; store `value` if it has ended for the first time.

    A sampler chooses a job by the values of the jobs before it. If a failed job is tried again, or a pruned job is
    trained longer, its value changes. A resumed search nevertheless has the same jobs, because the sampler gets the
    same values.

    Args:
        directory: the run directory of the job.
        value: the present objective of the job; None if the job failed or has no scores.
    """
    file = Path(directory, "search_value.json")
    with suppress(FileNotFoundError, ValueError):
        stored: float | None = json.loads(file.read_text(encoding="utf-8"))
        return stored
    atomic.write_text(file, json.dumps(value) + "\n")
    return value
