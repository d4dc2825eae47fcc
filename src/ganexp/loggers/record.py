"""The run's record: every logged point goes to TensorBoard and to metrics.jsonl."""

import json
from argparse import Namespace
from typing import Any

from pytorch_lightning.loggers import Logger
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from ganexp.runs.run_directory import RunFolder

TOGETHER = {  # one chart each in TensorBoard's custom scalars; tags are regular expressions
    "G and D": {"loss": ["Multiline", ["loss/generator$", "loss/discriminator$"]]},
    "scores": {"IS": ["Multiline", [r"score/is_[^_]+(_test)?$"]], "FID": ["Multiline", ["score/fid_"]]},
}


class Record(Logger):
    """Writes scalars against the step, pictures, a layout of charts, and one HPARAMS row.

    Args:
        folder: the run's.
        after: the step of the checkpoint to resume from, 0 for none; later points of an earlier try are withdrawn.
    """

    def __init__(self, folder: RunFolder, after: int = 0) -> None:
        super().__init__()
        folder.forget_after(after or -1)  # without a checkpoint step 0 comes again, too
        if not after:
            for events in folder.path.glob("events.out.tfevents.*"):
                events.unlink()
        self.writer = SummaryWriter(str(folder.path), purge_step=after + 1 if after else None)
        self.writer.add_custom_scalars(TOGETHER)
        self.lines = folder.metrics.open("a", buffering=1)

    @property
    def name(self) -> str:
        return "ganexp"

    @property
    def version(self) -> str:
        return ""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        for name, value in metrics.items():
            self.writer.add_scalar(name, value, step)
        self.lines.write(json.dumps({"step": step} | metrics) + "\n")

    def log_picture(self, name: str, picture: Tensor, step: int) -> None:
        """A picture uint8 (3, H, W)."""
        self.writer.add_image(name, picture, step)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Lightning offers the module's arguments here; `log_result` writes the config instead."""

    def log_result(self, settings: dict[str, Any], scores: dict[str, float], step: int) -> None:
        """The run's row in TensorBoard's HPARAMS table: its settings and final scores."""
        scores = {f"final/{name}": value for name, value in scores.items()}
        for summary in hparams(settings, scores):
            self.writer.file_writer.add_summary(summary)
        for name, value in scores.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()

    def finalize(self, status: str) -> None:
        self.writer.flush()
        self.lines.flush()
