"""Say which scores of a report are computed from so few samples that they have a bias."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from ganexp.report.columns import Column, with_letter
from ganexp.report.evaluated import Evaluated
from ganexp.report.protocols import protocols_of
from ganexp.report.run import Run
from ganexp.report.score_info import ScoreInfo
from ganexp.report.values import is_number

FEW_IMAGES_TEXT = (
    "with fewer than {:,} images, a score like FID has a bias that differs between generators: FID is too high "
    "(Chong and Forsyth 2020), and FID∞ is too low"
)


def few_samples(columns: Iterable[Column], runs: Sequence[Run]) -> list[str]:
    """Return a sentence for each score that is computed from fewer samples than it needs.

    Args:
        columns: the columns of the report.
        runs: the runs of the report.
    """
    protocols, infos = protocols_of(runs), _infos_under_protocols(runs)
    sentences = []
    for column in columns:
        own = infos[column.score, column.protocol]
        fewest = max((info.fewest_images for info in own if info.fewest_images is not None), default=0)
        in_protocol = protocols.get(column.protocol, {}).get("samples")
        samples = min((info.samples for info in own if info.samples is not None), default=in_protocol)
        if is_number(samples) and samples < fewest:
            name = with_letter(column.score, column.letter)
            sentences.append(f"{name} is computed from {samples:,} samples: {FEW_IMAGES_TEXT.format(fewest)}.")
    return list(dict.fromkeys(sentences))


def _infos_under_protocols(runs: Iterable[Run]) -> dict[tuple[str, str], list[ScoreInfo]]:
    """Return the `score_info` of each score under each protocol, from the trainings and from `ganexp evaluate`."""
    infos = defaultdict(list)
    for run in runs:
        sources: list[Run | Evaluated] = [run, *run.evaluated]
        for source in sources:
            for score, info in source.score_info.items():
                infos[score, source.protocol_id].append(info)
    return infos
