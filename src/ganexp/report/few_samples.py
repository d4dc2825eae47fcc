"""Say which scores of a report are computed from so few samples that they have a bias."""

from collections.abc import Iterable, Mapping
from typing import Any

from ganexp.report.columns import Column, with_letter
from ganexp.report.values import is_number

FEW_IMAGES_TEXT = (
    "with fewer than {:,} images, a score like FID has a bias that differs between generators: FID is too high "
    "(Chong and Forsyth 2020), and FID∞ is too low"
)


def few_samples(columns: Iterable[Column], protocols: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each score that is computed from fewer samples than it needs.

    Args:
        columns: the columns of the report.
        protocols: the protocols of the scores; the keys are the ids of the protocols.
    """
    sentences = []
    for column in columns:
        fewest, samples = column.info.fewest_images, column.info.samples
        if samples is None:
            samples = protocols.get(column.protocol, {}).get("samples")
        if fewest is not None and is_number(samples) and samples < fewest:
            name = with_letter(column.score, column.letter)
            sentences.append(f"{name} is computed from {samples:,} samples: {FEW_IMAGES_TEXT.format(fewest)}.")
    return list(dict.fromkeys(sentences))
