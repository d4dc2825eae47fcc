"""Say which scores of a report are of so few samples that they have a bias."""

from collections.abc import Iterable, Mapping
from typing import Any

from ganexp.report.columns import Column
from ganexp.report.values import is_number


def few_samples(columns: Iterable[Column], protocols: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each score of fewer samples than it needs.

    Args:
        columns: the columns of the report.
        protocols: the protocols of their scores by id.
    """
    sentences = []
    for column in columns:
        fewest, samples = column.info.fewest_images, protocols.get(column.protocol, {}).get("samples")
        if fewest is not None and is_number(samples) and samples < fewest:
            sentences.append(
                f"{column.score} of fewer than {fewest:,} samples is too high, by an amount that differs between "
                f"generators (Chong and Forsyth 2020). Here it is of {samples:,}."
            )
    return list(dict.fromkeys(sentences))
