"""Say that a training has not improved the score of the networks that it started from."""

from collections.abc import Mapping


def untrained_remark(
    scores: Mapping[str, Mapping[str, float]], name: str | None, higher_is_better: bool, is_initial: bool
) -> str:
    """Return a one-line remark if the networks at step 0 scored better than the best checkpoint, otherwise "".

    Args:
        scores: for each evaluation in run.json, its scores with their names as keys, and its step.
        name: the score that chose the best checkpoint; None if it is not known.
        higher_is_better: whether higher values of this score are better.
        is_initial: whether the networks at step 0 came from another run, and were therefore already trained.
    """
    best, untrained = scores.get("best", {}), scores.get("untrained", {})
    if name is None or not {name, "step"} <= best.keys() or name not in untrained:
        return ""
    is_better = untrained[name] > best[name] if higher_is_better else untrained[name] < best[name]
    networks = "initial" if is_initial else "untrained"
    return (
        f"best: {name} {best[name]:.4g} at step {best['step']:,}; the {networks} networks at step 0 scored better "
        f"({untrained[name]:.4g})"
        if is_better
        else ""
    )
