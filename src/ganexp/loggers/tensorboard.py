"""Write a run's curves, pictures and hyperparameters to TensorBoard."""

import re
import threading
from collections.abc import Mapping
from typing import Any

from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from ganexp.log_keys import mean_key, score_key
from ganexp.loggers.evaluated import Evaluated
from ganexp.loggers.result import final_metrics
from ganexp.loggers.tensorboard_tags import picture_tag, setting_columns, value_tag
from ganexp.runs.run_directory import EVENTS, RunDirectory

Charts = dict[str, dict[str, list[Any]]]
WRITER_THREAD = "_AsyncWriterThread"  # the name of a class of the package tensorboard


class TensorBoard(TensorBoardLogger):
    """Lightning's TensorBoard logger, changed to write directly to the run directory, with one event file per process.

    Args:
        run_directory: directory of the run.
        resume_step: step of the checkpoint from which the run resumes; 0 if there is none. TensorBoard hides the old
            events after this step, because these steps are logged again.
    """

    def __init__(self, run_directory: RunDirectory, resume_step: int = 0) -> None:
        # a new run also has a purge, at step 0, because TensorBoard ignores the first purge of a run
        purge_step = resume_step + 1 if resume_step else 0
        super().__init__(run_directory.path, name="", version="", default_hp_metric=False, purge_step=purge_step)
        if not resume_step:
            for events in run_directory.path.glob(EVENTS):
                events.unlink()
        self._hook_before = threading.excepthook
        threading.excepthook = self._report_failure_of_thread
        self.experiment.add_custom_scalars(custom_charts(run_directory.metadata()))
        if not resume_step and run_directory.config.exists():
            self.experiment.add_text("config", as_code(run_directory.config.read_text(encoding="utf-8")), 0)

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Write nothing, because `log_result` writes the settings together with the final scores."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add values, with the tags of `tensorboard_tags`."""
        super().log_metrics({value_tag(key): value for key, value in metrics.items()}, step)

    def log_resources(self, values: Mapping[str, float], step: int) -> None:
        """Add learning rates, speed and memory."""
        self.log_metrics(values, step)

    def log_image(self, key: str, images: list[Tensor], step: int) -> None:
        """Add pictures, each uint8 (3, H, W)."""
        for image in images:
            self.experiment.add_image(picture_tag(key), image, step)

    def log_result(self, settings: dict[str, Any], scores: dict[str, float], step: int) -> None:
        """Add the run's row to the HPARAMS table: its settings and final scores.

        The summary that defines the columns is left out, because TensorBoard would use the columns of one run for all
        runs. Without this summary, the columns are the settings of all runs, starting with the settings that differ. A
        finished run that is trained further gets a second row; TensorBoard then shows the settings of the first row and
        the scores of the second one.
        """
        _columns, start, end = hparams(setting_columns(settings), {})
        for summary in (start, end):
            self.experiment.file_writer.add_summary(summary, step)
        self.log_metrics(final_metrics(scores), step)
        self.experiment.flush()

    @classmethod
    def log_evaluated(cls, evaluated: Evaluated) -> None:
        """Write scores of `ganexp evaluate` to a separate event file, after deleting old files of the same source."""
        suffix = f".{evaluated.source}"
        for events in evaluated.run_directory.path.glob(EVENTS):
            if events.name.endswith(suffix):
                events.unlink()
        with SummaryWriter(evaluated.run_directory.path, filename_suffix=suffix) as writer:
            for key, value in evaluated.scores.items():
                writer.add_scalar(value_tag(key), value, evaluated.step)

    def save(self) -> None:
        """Flush the events. Unlike Lightning's logger, write no hparams.yaml, because config.yaml has the settings."""
        self.experiment.flush()

    def finalize(self, status: str) -> None:
        """Flush the events, but leave the file open, because training, validation and the final scores share it."""
        self.experiment.flush()

    def close(self) -> None:
        """Write the last events, and end the writer's thread."""
        threading.excepthook = self._hook_before
        self.experiment.close()

    def _report_failure_of_thread(self, failure: threading.ExceptHookArgs) -> None:
        """Print no traceback if the writer's thread fails, because the next write raises the thread's error again."""
        if type(failure.thread).__name__ != WRITER_THREAD:
            self._hook_before(failure)


def as_code(text: str) -> str:
    """Return a text as a block of code in Markdown, for TensorBoard's text tab."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def custom_charts(metadata: Mapping[str, Any]) -> Charts:
    """Return the layout of TensorBoard's custom scalars: a chart for each score, and one for each network's mean loss.

    A chart has one line for each run, so that many runs stay readable.

    Args:
        metadata: content of run.json; its `score_info` names the scores.
    """
    names = [name for name, info in metadata.get("score_info", {}).items() if "spread_of" not in info]
    scores = {name: _chart(score_key(name)) for name in names}
    losses = {network: _chart(mean_key(network)) for network in ("generator", "discriminator")}
    return ({"scores": scores} if scores else {}) | {"losses": losses}


def _chart(key: str) -> list[Any]:
    return ["Multiline", [f"^{re.escape(value_tag(key))}$"]]
