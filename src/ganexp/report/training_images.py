"""Tell runs apart that were trained on different images, even if their settings are the same."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from ganexp.report.run import Run
from ganexp.report.settings import IMAGE_PATHS
from ganexp.report.values import plain

Settings = frozenset[tuple[str, Any]]
HASH = "data.sha256"  # the key under which a report shows the hash of the images, if their paths do not differ


def tell_images_apart(runs: Sequence[Run]) -> None:
    """Add the path or the hash of the images to the settings of runs with equal settings, but different images.

    The path has as many of its last parts as are needed to distinguish the images. If the paths do not differ, the
    settings get the hash of the images. Runs that record no hash keep their settings.
    """
    same_settings: dict[Settings, dict[tuple[str, ...], list[Run]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        same_settings[frozenset(run.settings.items())][run.images].append(run)
    for by_images in same_settings.values():
        known = {images: same for images, same in by_images.items() if images}
        if len(known) > 1:
            texts = _shortest_paths([same[0].image_path for same in known.values()])
            for place, (images, same) in enumerate(known.items()):
                shown = {HASH: plain("+".join(each[:8] for each in images))}
                if texts:
                    shown = {next(key for key in IMAGE_PATHS if key in same[0].settings): texts[place]}
                for run in same:
                    run.settings = run.settings | shown


def _shortest_paths(paths: Sequence[str]) -> list[str]:
    """Return the last n parts of each path, with the smallest n for which all differ; [] if two paths are equal."""
    split = [PurePath(path).parts for path in paths]
    for depth in range(1, max(map(len, split)) + 1):
        texts = [str(PurePath(*parts[-depth:])) for parts in split]
        if len(set(texts)) == len(texts):
            return texts
    return []
