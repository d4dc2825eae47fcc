"""The protocols of the scores in a report."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from ganexp.report.run import Run

MAX_VALUES = 6  # values of one key that a sentence names
LONG_DIGEST = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{24,}\b")


def protocols_of(runs: Iterable[Run]) -> dict[str, dict[str, Any]]:
    """Return the protocols of the scores of `runs`; the keys are the ids of the protocols.

    Some keys, such as the weights that were scored, are not part of the id. If scores with the same id have different
    values of such a key, the result has a text that names at most MAX_VALUES of these values.
    """
    found: dict[str, dict[str, dict[Any, None]]] = defaultdict(lambda: defaultdict(dict))
    for run in runs:
        evaluated = [(each.protocol_id, each.protocol) for each in run.evaluated]
        for name, protocol in [(run.protocol_id, run.protocol), *evaluated]:
            for key, value in protocol.items():
                found[name][key][value] = None
    return {name: {key: _merged(list(values)) for key, values in keys.items()} for name, keys in found.items()}


def _merged(values: list[Any]) -> Any:
    if len(values) == 1:
        return values[0]
    named = [short(value) for value in values[:MAX_VALUES]]
    return " or ".join(named + ["…"] * (len(values) > MAX_VALUES))


def short(value: object) -> str:
    """Return a value of a protocol as text, with digests shortened to eight digits, and floats to six digits."""
    return f"{value:.6g}" if isinstance(value, float) else LONG_DIGEST.sub(r"\1…", str(value))
