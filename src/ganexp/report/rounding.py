"""Round a number to the digits that its uncertainty supports."""

import math

MAX_DECIMALS = 6  # maximum number of decimals of a value and its deviation


def rounded_texts(value: float, deviation: float) -> tuple[str, str]:
    """Return a value and its deviation as text, both rounded to the second digit of the deviation."""
    decimals = 1 - math.floor(math.log10(deviation)) if 0 < deviation < math.inf else MAX_DECIMALS + 1
    if decimals > MAX_DECIMALS:
        return f"{value:.4g}", f"{deviation:.2g}"
    shown = max(decimals, 0)
    return f"{round(value, decimals):.{shown}f}", f"{round(deviation, decimals):.{shown}f}"
