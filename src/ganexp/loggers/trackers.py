"""Functions that the loggers of experiment trackers, such as W&B and MLflow, share."""

from importlib.util import find_spec

from PIL.Image import Image
from torch import Tensor
from torchvision.transforms.functional import to_pil_image

from ganexp.errors import UserError
from ganexp.runs.run_directory import RunDirectory, sweep_above


def require(package: str) -> None:
    """Check that an optional package is installed.

    The package, the extra of ganexp that installs it and the option of `logger=` have the same name.

    Raises:
        UserError: the package is not installed; the message names the extra to install.
    """
    if find_spec(package) is None:
        raise UserError(f"logger={package} needs the package {package}: pip install 'ganexp[{package}]'")


def sweep_name(run_directory: RunDirectory) -> str | None:
    """Return the name of the sweep's directory if the run is a job of a sweep, otherwise None."""
    sweep = sweep_above(run_directory.path)
    return sweep.name if sweep else None


def display_name(run_directory: RunDirectory, name: str | None) -> str:
    """Return the name under which a tracker lists the run: a job's path in its sweep, or NAME/TIME for a single run.

    Args:
        run_directory: directory of the run.
        name: name of the run, from the config.
    """
    path = run_directory.path
    if sweep := sweep_above(path):
        return path.relative_to(sweep).as_posix()
    return f"{name}/{path.name}" if name else path.name


def to_pil(pictures: list[Tensor]) -> list[Image]:
    """Return pictures, each uint8 (3, H, W), as PIL images."""
    return [to_pil_image(picture) for picture in pictures]
