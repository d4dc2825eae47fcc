"""Send pictures to the loggers that accept them."""

from collections.abc import Iterable

from pytorch_lightning.loggers import Logger
from torch import Tensor


def log_picture(loggers: Iterable[Logger], key: str, picture: Tensor, step: int) -> None:
    """Send a picture, uint8 (3, H, W), to every logger with a method `log_image(key, images, step)`."""
    for logger in loggers:
        if hasattr(logger, "log_image"):
            logger.log_image(key, [picture], step=step)
