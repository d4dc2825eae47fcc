"""Write the values of a run to metrics.csv, for a spreadsheet."""

import csv
import io
import warnings
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from pytorch_lightning.core.saving import save_hparams_to_yaml
from pytorch_lightning.loggers import CSVLogger

from ganexp.runs import atomic
from ganexp.runs.run_directory import RunDirectory


class CSV(CSVLogger):
    """Lightning's CSV logger, changed to write directly to the run directory and to write every row immediately.

    Lightning's class writes only after every 100 rows, loses the last rows, deletes the file when a run is resumed, and
    leaves an incomplete table if the run is killed while a column is added. When a run is resumed, this class restores
    the rows up to the checkpoint from metrics.jsonl.

    Args:
        run_directory: directory of the run.
        resume_step: step of the checkpoint from which the run resumes; 0 if there is none.
    """

    def __init__(self, run_directory: RunDirectory, resume_step: int = 0) -> None:
        super().__init__(run_directory.path, name="", version="")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Experiment logs directory")  # the directory has other files of the run
            self._table = run_directory.path / self.experiment.NAME_METRICS_FILE
        self._hyperparameters = run_directory.path / self.experiment.NAME_HPARAMS_FILE
        points = run_directory.points() if resume_step else []
        self._rows = [point for point in points if point["step"] <= resume_step]
        self._columns = list(dict.fromkeys(key for row in self._rows for key in row))
        self._rewrite()

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Append a row. If there is a new column, rewrite the table."""
        row = {**metrics, "step": step}
        self._rows.append(row)
        new = [key for key in row if key not in self._columns]
        self._columns += new
        if new:
            self._rewrite()
        else:
            with self._table.open("a", encoding="utf-8", newline="") as file:
                file.write(self._as_text([row]))

    def log_hyperparams(self, params: dict[str, Any] | Namespace | None = None) -> None:
        """Write the settings to hparams.yaml."""
        with atomic.replacing(self._hyperparameters) as temporary:
            save_hparams_to_yaml(temporary, params or {})

    def save(self) -> None:
        """Write nothing, because every row is already in the file."""

    def _rewrite(self) -> None:
        header = self._as_text([{column: column for column in self._columns}])
        atomic.write_text(self._table, header + self._as_text(self._rows))

    def _as_text(self, rows: list[dict[str, Any]]) -> str:
        text = io.StringIO()
        csv.DictWriter(text, self._columns, restval="", lineterminator="\n").writerows(rows)
        return text.getvalue()
