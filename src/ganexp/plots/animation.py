"""Write an animation of pictures."""

from collections.abc import Sequence
from pathlib import Path

import PIL.Image

from ganexp.runs.atomic import replacing

MAX_FRAMES, MAX_SIDE = 60, 640  # limits of an animation: number of frames, pixels per side
SECONDS, LAST_FRAME_SECONDS = 6.0, 2.0  # duration of all frames, and how much longer the last frame is shown
SLOWEST = 0.5  # maximum time for which a frame is shown, in seconds


def save_animation(files: Sequence[Path], path: Path) -> None:
    """Save PNG files as an endless GIF of at most 60 evenly spaced frames, among them the first and the last one.

    Pictures that differ in size from the last picture are left out: the size changes if the grid changes. Large
    pictures are made smaller, to at most 640 pixels per side. If there are fewer than two pictures, nothing is written.
    """
    sizes = {file: size for file in files if (size := _size(file))}
    files = [file for file, size in sizes.items() if size == list(sizes.values())[-1]]
    if len(files) < 2:
        return
    count = min(len(files), MAX_FRAMES)
    chosen = [files[round(index * (len(files) - 1) / (count - 1))] for index in range(count)]
    frames = [_frame(file) for file in chosen]
    each = min(SECONDS / count, SLOWEST)
    durations = [round(1000 * each)] * (count - 1) + [round(1000 * (each + LAST_FRAME_SECONDS))]
    with replacing(path) as temporary:
        frames[0].save(temporary, "gif", save_all=True, append_images=frames[1:], duration=durations, loop=0)


def _size(file: Path) -> tuple[int, int] | None:
    """Return width and height of a picture; None if the file is not a picture."""
    try:
        with PIL.Image.open(file) as image:
            return image.size
    except (OSError, ValueError):
        return None


def _frame(file: Path) -> PIL.Image.Image:
    with PIL.Image.open(file) as image:
        frame = image.convert("RGB")
    factor = max(frame.size) / MAX_SIDE
    if factor > 1:
        frame = frame.resize((round(frame.width / factor), round(frame.height / factor)), PIL.Image.Resampling.LANCZOS)
    return frame.quantize(256, dither=PIL.Image.Dither.NONE)
