"""Send a run to Weights & Biases, https://docs.wandb.ai."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from pytorch_lightning.loggers import WandbLogger
from torch import Tensor

from ganexp.errors import UserError
from ganexp.loggers.evaluated import Evaluated
from ganexp.loggers.result import final_metrics
from ganexp.loggers.trackers import display_name, require, sweep_name, to_pil
from ganexp.runs.run_directory import RunDirectory

PACKAGE = "wandb"


class WeightsAndBiases(WandbLogger):
    """Lightning's W&B logger, with ganexp's step on every horizontal axis.

    The id of the run is stored in run.json, so that a resumed run continues the same W&B run. Points after the
    checkpoint are then sent twice, with the same values. The jobs of a sweep form a W&B group with the name of the
    sweep's directory. Files are written to wandb/ in the run directory. With WANDB_MODE=offline, nothing is sent before
    `wandb sync`.

    Args:
        run_directory: directory of the run.
        name: name of the run, from the config.
        tags: tags of the run.
        project: W&B project.
        entity: user or team that the project belongs to; None means the default entity.

    Raises:
        UserError: W&B is not installed, or refuses the run, for example because the user is not logged in.
    """

    def __init__(
        self,
        run_directory: RunDirectory,
        name: str | None = None,
        tags: Sequence[str] = (),
        project: str = "ganexp",
        entity: str | None = None,
    ) -> None:
        self.check_installed()
        import wandb

        run_id = run_directory.metadata().get(PACKAGE, {}).get("id")
        try:
            run = wandb.init(
                project=project,
                entity=entity,
                name=display_name(run_directory, name),
                group=sweep_name(run_directory),
                tags=list(tags),
                dir=run_directory.path,
                id=run_id,
                resume="allow" if run_id else None,
                reinit="create_new",  # the jobs of a sweep run in one process
            )
        except wandb.Error as error:
            raise UserError(f"logger=wandb: {error}\nTo log offline: WANDB_MODE=offline ganexp …") from error
        run.define_metric("step")
        run.define_metric("*", step_metric="step")
        super().__init__(project=project, save_dir=run_directory.path, id=run.id, experiment=run)
        if not run.disabled:
            run_directory.update_metadata(**{PACKAGE: {"id": run.id, "url": None if run.offline else run.url}})

    @staticmethod
    def check_installed() -> None:
        """Check that W&B is installed; raise a UserError otherwise."""
        require(PACKAGE)

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Set the config of the run. It is nested, because W&B advises against dots in keys."""
        super().log_hyperparams(nest(params))

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Send the values, with the step as one more metric, because W&B's own step counter cannot go back."""
        self.experiment.log({**metrics, "step": step})

    def log_image(self, key: str, images: list[Tensor], step: int | None = None, **kwargs: Any) -> None:
        """Send pictures, each uint8 (3, H, W)."""
        super().log_image(key, to_pil(images), step, **kwargs)  # a PIL image, because W&B would rescale a dark tensor

    def log_result(self, settings: dict[str, Any], scores: dict[str, float], step: int) -> None:
        """Write the final scores to the summary of the run, and finish the run."""
        self.log_metrics(final_metrics(scores), step)
        self.experiment.finish()

    @classmethod
    def log_evaluated(cls, evaluated: Evaluated) -> None:
        """Send scores of `ganexp evaluate` to the W&B run whose id is in run.json.

        Raises:
            UserError: run.json has no id, the logger's settings name another W&B entity than WANDB_ENTITY, W&B is not
                installed, or W&B refuses the run.
        """
        if not evaluated.run_directory.metadata().get(PACKAGE, {}).get("id"):
            raise UserError("run.json has no id of a W&B run")
        entity = evaluated.settings.get("entity")
        if entity not in (None, os.environ.get("WANDB_ENTITY")):
            raise UserError(
                f"the config of the run sends scores to the W&B entity {entity}. If you want this, set the "
                f"environment variable WANDB_ENTITY={entity}"
            )
        logger = cls(evaluated.run_directory, **evaluated.settings)
        logger.log_metrics(evaluated.scores, evaluated.step)
        logger.experiment.finish()

    def finalize(self, status: str) -> None:
        """Finish a run that failed. A successful run ends in `log_result`."""
        if status == "failed":
            self.experiment.finish(exit_code=1)


def nest(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with dotted keys as nested dictionaries.

    If a key has both a value and subkeys, as with data=digits and data.resolution=8, the value gets the key `choice`.
    """
    nested: dict[str, Any] = {}
    for key, value in sorted(settings.items()):  # data comes before data.resolution
        *path, last = key.split(".")
        branch = nested
        for part in path:
            below = branch.get(part, {})
            branch[part] = below if isinstance(below, dict) else {"choice": below}
            branch = branch[part]
        branch[last] = value
    return nested
