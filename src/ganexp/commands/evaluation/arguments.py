"""Translate arguments of `ganexp evaluate` into the settings of its configs. This module must not import torch."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ganexp.arguments import Command
from ganexp.errors import UserError

# Settings of `ganexp evaluate ckpt=…` that change the metrics of the run. They have the same names in the metrics.
OF_METRICS = ("samples", "references", "fid_at", "labels", "weights")
SPLITS = ("train", "test")  # the values of `real` that are not directories


def adapt(command: Command) -> Command:
    """Translate the arguments of `ganexp evaluate` into settings of its config; return other commands unchanged.

    Raises:
        UserError: a setting would be ignored or has two values, or the directories of images cannot be compared.
    """
    if command.config_name == "evaluate":
        return replace(command, arguments=tuple(_without_metrics(command.arguments)))
    if command.config_name == "evaluate_images":
        _refuse_number(command.arguments)
        return replace(command, arguments=tuple(_with_real_directory(command.arguments)))
    return command


def reason_against_resolving(command: Command) -> str:
    """Return a line that explains why --resolve fails for an evaluation; "" without --resolve or for other commands."""
    if command.config_name != "evaluate" or "--resolve" not in command.flags:
        return ""
    return (
        "\n--resolve: an evaluation takes values from the config of its run, which --cfg does not read. Leave "
        "--resolve out"
    )


def _without_metrics(arguments: Sequence[str]) -> list[str]:
    """Return arguments with `metrics.samples=…` replaced by `samples=…`, and likewise for all settings in OF_METRICS.

    Raises:
        UserError: a setting is given twice with different values, or a setting of the metrics would be ignored, because
            the command does not choose metrics of its own.
    """
    given = {argument.partition("=")[0]: argument for argument in arguments}
    for name in OF_METRICS:
        both = [given[key] for key in (name, f"metrics.{name}") if key in given]
        if len({argument.partition("=")[2] for argument in both}) > 1:
            raise UserError(f"{both[0]} and {both[1]}: these are the same setting. Give one of the two")
    adapted = []
    for argument in arguments:
        name = argument.partition("=")[0].removeprefix("metrics.")
        if argument.startswith("metrics.") and name in OF_METRICS:
            argument = argument.removeprefix("metrics.")
        elif argument.startswith("metrics.") and "metrics" not in given and not name.startswith("scores."):
            raise UserError(
                f"{argument}: choose the metrics too, for example metrics=classifier. Without metrics=…, the run's "
                "metrics are used, and only samples=, references=, fid_at=, labels=, weights= and metrics/score=[…] "
                "change them"
            )
        adapted.append(argument)
    return adapted


def _refuse_number(arguments: Sequence[str]) -> None:
    """Refuse the setting of the number of samples, because every image of the directory or split is scored.

    Raises:
        UserError: `samples` or `metrics.samples` is given.
    """
    for argument in arguments:
        if argument.removeprefix("metrics.").startswith("samples="):
            raise UserError(
                f"{argument}: every image is scored, so leave this setting out. To score fewer images, put them "
                "into a directory of their own and give it as images=DIRECTORY"
            )


def _with_real_directory(arguments: Sequence[str]) -> list[str]:
    """Return the arguments, with data=folder as the dataset if both `images` and `real` name a directory or zip.

    Raises:
        UserError: `real` names nothing that exists, or its first image is not square and no resolution is given.
    """
    given = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    real = given.get("real", "null").strip("'\"")
    if "images" not in given or real in ("null", *SPLITS) or given.get("data", "folder") != "folder":
        return list(arguments)
    if not Path(real).expanduser().exists():
        raise UserError(f"real={real}: no such directory, zip or split. Use real=DIRECTORY, real=train or real=test")
    kept = [argument for argument in arguments if not argument.startswith(("real=", "data="))]
    added = ["data=folder", f"data.path={given['real']}"]
    if "data.resolution" not in given:
        added += [f"data.resolution={_side(real)}", "data.source.fit=exact"]
    return [*added, *kept]


def _side(path: str) -> int:
    """Return the height and width of the first image of a directory or zip.

    Raises:
        UserError: there are no images, or the first image is damaged or not square.
    """
    # imported here, because only this comparison needs these modules
    from ganexp.data.archive import ZipReader
    from ganexp.data.decoding import DECODING_ERRORS, open_image
    from ganexp.data.listing import list_images

    try:
        listing = list_images(path)
    except UserError as error:
        raise UserError(str(error).replace("path=", "real=", 1)) from None
    name = listing.names[0]
    content = (listing.root / name).read_bytes() if listing.root.is_dir() else ZipReader(listing.root).read(name)
    try:
        with open_image(content) as image:
            width, height = image.size
    except DECODING_ERRORS as error:
        raise UserError(f"real={path}: {name} is not a readable image: {error}") from None
    if width != height:
        raise UserError(
            f"real={path}: {name} has {width}x{height} pixels. Real images that are not square are cut to "
            f"data.resolution=N, and the images to score must have N x N pixels: give data.resolution"
        )
    return height
