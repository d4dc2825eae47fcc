"""Send a run to MLflow, https://mlflow.org."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock
from pytorch_lightning.loggers import MLFlowLogger
from torch import Tensor

from ganexp.errors import UserError
from ganexp.loggers.evaluated import Evaluated
from ganexp.loggers.result import final_metrics
from ganexp.loggers.trackers import display_name, require, sweep_name, to_pil
from ganexp.runs.run_directory import RunDirectory

if TYPE_CHECKING:
    from mlflow import MlflowClient

PACKAGE = "mlflow"
SQLITE = "sqlite:///"


class MLflow(MLFlowLogger):
    """Lightning's MLflow logger, extended to store pictures and to continue the same MLflow run after a resume.

    Args:
        run_directory: directory of the run.
        name: name of the run, from the config.
        tags: tags of the run. MLflow's tags have values, so each tag gets the value `true`.
        experiment: MLflow experiment under which the run is listed.
        tracking_uri: address of a tracking server, or `sqlite:///` with the path of a database. With a database, the
            pictures are stored in mlflow-artifacts/ in the same directory. A resumed run uses the
            database with which it started.

    Raises:
        UserError: MLflow is not installed, or there is no MLflow store at the address.
    """

    def __init__(
        self,
        run_directory: RunDirectory,
        name: str | None = None,
        tags: Sequence[str] = (),
        experiment: str = "ganexp",
        tracking_uri: str = f"{SQLITE}outputs/mlflow.db",
    ) -> None:
        self.check_installed()
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        stored, sweep = run_directory.metadata().get(PACKAGE, {}), sweep_name(run_directory)
        database = _database(tracking_uri, stored.get("tracking_uri", ""))
        uri = f"{SQLITE}{database}" if database else tracking_uri
        try:
            with _creation_lock(database):
                client = MlflowClient(uri)
                _ensure_experiment(client, experiment, database)
            run_id = _existing_run(client, stored.get("run_id"))
            super().__init__(
                experiment_name=experiment,
                run_name=display_name(run_directory, name),
                tracking_uri=uri,
                tags=dict.fromkeys(tags, "true") | ({"sweep": sweep} if sweep else {}),
                run_id=run_id,
            )
            run_directory.update_metadata(**{PACKAGE: {"run_id": self.run_id, "tracking_uri": uri}})
            if run_id:
                client.update_run(run_id, status="RUNNING")
        except MlflowException as error:
            raise UserError(f"logger.mlflow.tracking_uri={tracking_uri}: {error}") from error

    @staticmethod
    def check_installed() -> None:
        """Check that MLflow is installed; raise a UserError otherwise."""
        require(PACKAGE)

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Set the parameters of the run. MLflow keeps the first value of each parameter, also after a resume."""
        known = self.experiment.get_run(self.run_id).data.params
        super().log_hyperparams({key: value for key, value in params.items() if key not in known})

    def log_image(self, key: str, images: list[Tensor], step: int) -> None:
        """Save pictures, each uint8 (3, H, W), as artifacts of the run."""
        for image in to_pil(images):
            self.experiment.log_image(self.run_id, np.asarray(image), key=key, step=step)

    def log_result(self, settings: dict[str, Any], scores: dict[str, float], step: int) -> None:
        """Log the final scores, and end the run."""
        self.log_metrics(final_metrics(scores), step)
        self.experiment.set_terminated(self.run_id, "FINISHED")

    @classmethod
    def log_evaluated(cls, evaluated: Evaluated) -> None:
        """Add scores of `ganexp evaluate` to the MLflow run whose id is in run.json.

        Raises:
            UserError: MLflow is not installed, MLflow's store does not have the run, or MLflow refuses the scores.
        """
        cls.check_installed()
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        stored = evaluated.run_directory.metadata().get(PACKAGE, {})
        database = _database(evaluated.settings["tracking_uri"], stored.get("tracking_uri", ""))
        if database is not None and not database.is_file():
            raise UserError(f"{database}: this database, which the run names in logger.mlflow.tracking_uri, is missing")
        client = MlflowClient(f"{SQLITE}{database}" if database else evaluated.settings["tracking_uri"])
        run_id = _existing_run(client, stored.get("run_id"))
        if run_id is None:
            raise UserError(f"MLflow has no run {stored.get('run_id')}, which the run directory names in run.json")
        try:
            for key, value in evaluated.scores.items():
                client.log_metric(run_id, key, value, step=evaluated.step)
        except MlflowException as error:
            raise UserError(f"MLflow: {error}") from error

    def finalize(self, status: str = "success") -> None:
        """End a run that failed. A successful run ends in `log_result`."""
        if status == "failed":
            self.experiment.set_terminated(self.run_id, "FAILED")


def _database(tracking_uri: str, stored_uri: str) -> Path | None:
    """Return the absolute path of the database; None if the config names a server.

    The database that run.json names takes precedence over the database that the config names.
    """
    if not tracking_uri.startswith(SQLITE):
        return None
    uri = stored_uri if stored_uri.startswith(SQLITE) else tracking_uri
    return Path(uri.removeprefix(SQLITE)).absolute()


def _creation_lock(database: Path | None) -> AbstractContextManager:
    """Return a lock for opening a database, because several jobs of a sweep may try to create the same database."""
    if database is None:
        return nullcontext()
    database.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(database.with_name(f".{database.name}.lock"))


def _ensure_experiment(client: "MlflowClient", name: str, database: Path | None) -> None:
    """Create the experiment if it does not exist. Its artifacts are stored next to the database, or on the server."""
    from mlflow.exceptions import MlflowException

    if client.get_experiment_by_name(name) is not None:
        return
    artifacts = (database.parent / "mlflow-artifacts").as_uri() if database else None
    try:
        client.create_experiment(name, artifact_location=artifacts)
    except MlflowException:  # another job has created it on the server
        if client.get_experiment_by_name(name) is None:
            raise


def _existing_run(client: "MlflowClient", run_id: str | None) -> str | None:
    """Return `run_id` if the store has the run with this id, and otherwise None."""
    from mlflow.exceptions import MlflowException

    if run_id is None:
        return None
    try:
        return client.get_run(run_id).info.run_id
    except MlflowException:
        return None
