"""Describe how the scores of a training are measured, and detect later whether they would be measured otherwise."""

from collections.abc import Mapping, Sequence
from typing import Any

from ganexp.errors import UserError
from ganexp.report.protocols import short
from ganexp.report.values import flatten
from ganexp.sampling import EVALUATION_SEED, drawn_together, sampling_protocol
from ganexp.training.gan import GAN


def training_protocol(gan: GAN, batch_size: int) -> dict[str, Any]:
    """Return the protocol of the scores of a training, in the format of run.json; it is empty if there are no scores.

    Args:
        gan: the networks with their scores.
        batch_size: number of samples that are drawn and scored together.
    """
    if not gan.scores:
        return {}
    return gan.scores.protocol(drawn_together(gan, batch_size)) | sampling_protocol(gan) | {"seed": EVALUATION_SEED}


def protocol_changes(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[str]:
    """Return a line for each value that differs between two protocols; an empty list if their scores are comparable.

    Args:
        before: the protocol of the earlier scores; None if run.json does not record it.
        after: the protocol of the scores from now on.
    """
    if not before or before.get("id") == after.get("id"):
        return []
    old, new = dict(flatten(before)), dict(flatten(after))
    differing = [key for key in {**old, **new} if key != "id" and old.get(key) != new.get(key)]
    return [f"{key}: {short(old.get(key, 'none'))}, now {short(new.get(key, 'none'))}" for key in differing]


def refuse_other_scores(lines: Sequence[str], command: str, cache: str) -> None:
    """Refuse to resume a run whose later scores could not be compared with its earlier ones, as `lines` describe.

    Args:
        lines: a line for each difference between the protocols.
        command: the command that resumes the run.
        cache: the directory of cached files, which has the classifiers that ganexp has trained.

    Raises:
        UserError: always.
    """
    raise UserError(
        "From now on, the scores would be measured in another way than before, so that they could not be compared:\n  "
        + "\n  ".join(lines)
        + "\nRestore what has changed: the code or the file of weights of the feature extractor; for "
        f"metrics=classifier, the version of torch and the trained classifier in {cache}/classifiers\n"
        f"or start the scores anew: {command} data.changed=accept"
    )
