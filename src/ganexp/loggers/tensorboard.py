"""Write a run's curves, pictures and hyperparameters to TensorBoard."""

from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor
from torch.utils.tensorboard.summary import hparams

from ganexp.log_keys import LOSS, SCORE

CHARTS = {  # in TensorBoard's custom scalars; tags are regular expressions
    "G and D": {"loss": ["Multiline", [f"{LOSS}generator$", f"{LOSS}discriminator$"]]},
    "scores": {"IS": ["Multiline", [rf"{SCORE}is_[^_]+(_test)?$"]], "FID": ["Multiline", [f"{SCORE}fid_"]]},
}


class TensorBoard(TensorBoardLogger):
    """Lightning's logger, which writes into the run directory itself and keeps one file of events a process.

    Args:
        save_dir: the run directory.
        resume_step: step of the checkpoint that the run resumes from, 0 if there is none; TensorBoard hides later
            events, since they are logged again.
    """

    def __init__(self, save_dir: str, resume_step: int = 0) -> None:
        purge = {"purge_step": resume_step + 1} if resume_step else {}
        super().__init__(save_dir, name="", version="", default_hp_metric=False, **purge)
        if not resume_step:
            for events in Path(save_dir).glob("events.out.tfevents.*"):
                events.unlink()
        self.experiment.add_custom_scalars(CHARTS)

    def log_image(self, key: str, images: list[Tensor], step: int) -> None:
        """Add pictures, each uint8 (3, H, W)."""
        for image in images:
            self.experiment.add_image(key, image, step)

    def log_result(self, settings: dict[str, Any], scores: dict[str, float], step: int) -> None:
        """Add the run's row in the HPARAMS table: its settings and final scores."""
        finals = {f"final/{name}": value for name, value in scores.items()}
        for summary in hparams(settings, finals):
            self.experiment.file_writer.add_summary(summary)
        self.log_metrics(finals, step)
        self.experiment.flush()

    def save(self) -> None:
        """Flush the events. Lightning's logger would also write hparams.yaml, which config.yaml is for."""
        self.experiment.flush()

    def finalize(self, status: str) -> None:
        """Flush the events, but leave the file open: validation, training and the final scores share it."""
        self.experiment.flush()
