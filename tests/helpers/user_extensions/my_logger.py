"""A logger that writes the step of every logged point."""

from pathlib import Path

from pytorch_lightning.loggers import Logger


class Steps(Logger):
    """Append each step to steps.txt."""

    name, version = "steps", ""

    def __init__(self, save_dir: str):
        super().__init__()
        self.path = Path(save_dir) / "steps.txt"

    def log_metrics(self, metrics, step=None):
        with self.path.open("a") as file:
            file.write(f"{step}\n")

    def log_hyperparams(self, params, *args, **kwargs):
        pass
