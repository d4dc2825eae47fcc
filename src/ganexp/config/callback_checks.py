"""Let callbacks refuse a run for which they cannot work, before anything is written."""

from typing import TYPE_CHECKING

from omegaconf import DictConfig

from ganexp.config.instantiate import SPECIAL, locate, to_plain
from ganexp.errors import UserError

if TYPE_CHECKING:
    from ganexp.training.gan import GAN


def check_callbacks(cfg: DictConfig, gan: "GAN") -> None:
    """Collect the complaints of every callback whose class has a static method `complaints`.

    This method takes the resolved config, the GAN, and those arguments of the callback that the config sets. It yields
    a line for each problem. The scores of the GAN may not be built yet; `gan.scores` is then None.

    Raises:
        UserError: a callback has complaints; the message lists all of them.
    """
    lines = []
    for name, node in cfg.callbacks.items():
        if node is None:
            continue
        plain, key = to_plain(node), f"callbacks.{name}"
        settings = {argument: value for argument, value in plain.items() if argument not in SPECIAL}
        complaints = getattr(locate(plain, key).func, "complaints", None)
        lines += [f"{key}: {line}" for line in complaints(cfg, gan, **settings)] if complaints else []
    if lines:
        raise UserError("\n".join(lines))
