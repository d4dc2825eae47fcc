"""Write the values of a run to metrics.csv, for a spreadsheet."""

import warnings

from pytorch_lightning.loggers import CSVLogger

from ganexp.runs.run_directory import RunDirectory


class CSV(CSVLogger):
    """Lightning's logger, which writes into the run directory itself, and every row at once.

    Lightning's own would write after 100 rows, lose the last ones, and delete the file of a run that is resumed. Here
    the rows up to the checkpoint are restored from metrics.jsonl, which is written in one piece.

    Args:
        run_directory: of the run.
        resume_step: step of the checkpoint that the run resumes from, 0 if there is none.
    """

    def __init__(self, run_directory: RunDirectory, resume_step: int = 0) -> None:
        super().__init__(run_directory.path, name="", version="")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Experiment logs directory")  # the run's files are not in the way
            table = self.experiment
        points = run_directory.points() if resume_step else []
        for point in points:
            if point["step"] <= resume_step:
                table.log_metrics(point, point["step"])
        table.save()

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Append a row."""
        super().log_metrics(metrics, step)
        self.save()
