"""Divide a resolution into the size of a network's smallest feature map and the number of doublings."""

SMALLEST_BASE, LARGEST_BASE = 3, 7


def split_resolution(resolution: int) -> tuple[int, int]:
    """Return (base, doublings) with resolution = base·2^doublings and the largest possible base up to 7.

    For example, 28 gives (7, 2), 32 gives (4, 3) and 48 gives (6, 3).

    Raises:
        ValueError: the base is not between 3 and 7; the message names the nearest resolution that works.
    """
    base, doublings = _halve(resolution)
    if not _is_base(base):
        candidates = [size for size in range(4, 1025) if _is_base(_halve(size)[0])]
        nearest = min(candidates, key=lambda size: abs(size - resolution))
        raise ValueError(
            f"resolution={resolution} is not base·2^k with a base from {SMALLEST_BASE} to {LARGEST_BASE}: "
            f"use data.resolution={nearest}"
        )
    return base, doublings


def divide_resolution(resolution: int, divisor: int) -> int:
    """Return resolution / divisor.

    Raises:
        ValueError: the resolution is not a multiple of the divisor.
    """
    if resolution % divisor:
        lower_multiple = resolution // divisor * divisor
        raise ValueError(
            f"resolution={resolution} is not a multiple of {divisor}: use data.resolution={lower_multiple or divisor}"
        )
    return resolution // divisor


def _halve(resolution: int) -> tuple[int, int]:
    """Halve `resolution` while it is even and above 7; return the remaining number and the number of halvings."""
    side, halvings = resolution, 0
    while side > LARGEST_BASE and side % 2 == 0:
        side, halvings = side // 2, halvings + 1
    return side, halvings


def _is_base(side: int) -> bool:
    return SMALLEST_BASE <= side <= LARGEST_BASE
