"""Say whether scores that are compared come from different kinds of devices."""

from collections.abc import Iterable

from ganexp.report.grouping import device_kind
from ganexp.report.run import Run


def scoring_devices(runs: Iterable[Run]) -> list[str]:
    """Return one sentence if the scores of runs come from several kinds of devices; otherwise no sentence."""
    names = {run.metadata.get("device") for run in runs if run.has_scores}
    names |= {evaluated.device for run in runs for evaluated in run.evaluated}
    kinds = sorted({device_kind(name) for name in names if isinstance(name, str)})
    if len(kinds) < 2:
        return []
    return [
        f"The scores were computed on different devices ({'; '.join(kinds)}). All of these devices compute "
        "scores in 32 bits, but the last digits of the scores may differ."
    ]
