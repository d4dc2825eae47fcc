"""The schema of each command's config, and the resolvers for the YAML files. This module must not import torch.

`sections.py` declares the schemas of the sections of a config.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ganexp.config.comments import schema_comments
from ganexp.config.composition import register_resolver, root_type
from ganexp.config.fields import NODES, field_violations, limited, limits, node_violations
from ganexp.config.instantiate import to_plain
from ganexp.config.interpolations import explain_interpolation
from ganexp.config.paths import PATH, make_absolute, path_keys
from ganexp.config.sections import (
    Accelerator,
    Data,
    Debug,
    Loss,
    Metrics,
    Model,
    SampleCounts,
    Schedule,
    Sweep,
    Trainer,
)
from ganexp.config.trainer_arguments import reasons_against_values
from ganexp.config.unknown_settings import unknown_settings
from ganexp.data.listing import count_classes
from ganexp.errors import UserError
from ganexp.runs.naming import job_name, run_name, slug
from ganexp.types import ImageCount, NonNegativeInt, PositiveInt, Seed, Truncation

FULL_NAMES = {32: "32-true", "bf16": "bf16-mixed"}  # Lightning's full names for the short names of precisions


@dataclass
class Train:
    """Config of `ganexp train`."""

    data: Data = MISSING
    model: Model = MISSING
    loss: Loss = MISSING
    # augmentations of the discriminator's inputs, applied in the given order
    augment: dict[str, Any] = field(default_factory=dict, metadata=NODES)
    schedule: Schedule = MISSING
    optimizer: dict[str, Any] = field(default_factory=dict, metadata=NODES)  # the optimizer of each network
    metrics: Metrics = MISSING
    trainer: Trainer = MISSING
    callbacks: dict[str, Any] = field(default_factory=dict, metadata=NODES)  # the callbacks, each with a name
    logger: dict[str, Any] = field(default_factory=dict, metadata=NODES)  # the loggers, each with a name
    name: str | None = None  # name of the run; default: the experiment, or else the chosen options
    seed: int = limited(Seed, 0)  # seed of the weights, the latents and the order of the images
    # a run directory or checkpoint with the networks from which the training starts; null: random weights
    init_from: str | None = field(default=None, metadata=PATH)
    # tags of the run, for loggers that have tags
    tags: list[str] = field(default_factory=list, metadata=limits(list[str]))
    # the experiments for which the option of as_published is meant, such as sagan/*; only this option may set the key;
    # empty: all experiments
    published_cases: list[str] = field(default_factory=list, metadata=limits(list[str]))
    sweep: Sweep = field(default_factory=Sweep)
    debug: Debug = field(default_factory=Debug)


@dataclass
class Describe(Train):
    """Config of `ganexp describe`."""

    estimate: bool = False  # time a few steps, and estimate hours, memory and disk space of the run
    json: bool = False  # print JSON on a terminal too; a file or pipe always gets JSON


@dataclass
class EvaluateImages(Train):
    """Config of `ganexp evaluate images=…`."""

    images: str | None = field(default=None, metadata=PATH)  # a directory or zip of images to score
    # without `images`: the split of the dataset to score; with `images`: a directory or zip of real images to which
    # `images` are compared
    real: str | None = None
    output: str | None = field(default=None, metadata=PATH)  # directory for scores.json; default: no file


@dataclass
class Moved:
    """The location of a run's dataset, if the dataset has moved since the training."""

    root: str | None = field(default=None, metadata=PATH)  # directory of the datasets
    path: str | None = field(default=None, metadata=PATH)  # path of a directory or zip of images


@dataclass
class Evaluate:
    """Config of `ganexp evaluate ckpt=…`."""

    # a checkpoint; a run directory, of which the best checkpoint is scored; or a directory of several runs
    ckpt: str = field(default=MISSING, metadata=PATH)
    samples: int | None = limited(ImageCount | None, None)  # number of samples; default: as in the run
    references: list[str] | None = None  # splits to compare with; default: the training split, and test if it exists
    output: str | None = field(default=None, metadata=PATH)  # directory for scores.json; default: the run directory
    seed: int = limited(Seed, 1000)  # seed of the latents; training uses another seed
    # shares of the classes in the samples, see metrics.labels; default: as in the run
    labels: str | None = limited(Literal["reference", "uniform"] | None, None)
    # further numbers of samples for which FID is computed; default: as in the run
    fid_at: list[int] | None = field(default=None, metadata=limits(SampleCounts | None))
    weights: str | None = field(default=None, metadata=PATH)  # file of the extractor's weights, if the file has moved
    accelerator: str = limited(Accelerator, "auto")  # auto: a GPU if there is one
    data: Moved = field(default_factory=Moved)
    metrics: Metrics = field(default_factory=Metrics)  # default: the metrics of the run


@dataclass
class Sample:
    """Config of `ganexp sample`."""

    # a checkpoint, or a run directory, of which the best checkpoint is used
    ckpt: str = field(default=MISSING, metadata=PATH)
    n: int = limited(ImageCount, 64)  # number of images
    label: str | None = None  # the class to draw, by name or number; null: all classes in turn
    seed: int = limited(Seed, 0)  # seed of the latents
    output: str | None = field(default=None, metadata=PATH)  # directory for the images; default: samples/drawn-…
    # png: a file for each image; zip: a zip of these files; npz: a file with the images, uint8 (N, H, W, C), as arr_0,
    # and with their labels as arr_1
    format: str = limited(Literal["png", "zip", "npz"], "png")
    step: int | None = limited(NonNegativeInt | None, None)  # step of a checkpoint in a run directory; null: the best
    epoch: int | None = limited(PositiveInt | None, None)  # epoch of a checkpoint that schedule.keep_at kept
    truncation: float | None = limited(Truncation | None, None)  # values of latents beyond this limit are drawn again
    accelerator: str = limited(Accelerator, "auto")  # auto: a GPU if there is one
    data: Moved = field(default_factory=Moved)


@cache
def register() -> None:
    """Register the schemas and resolvers with Hydra. Repeated calls are allowed."""
    store = ConfigStore.instance()
    store.store(name="train_schema", node=Train)
    store.store(name="describe_schema", node=Describe)
    store.store(name="images_schema", node=EvaluateImages)
    store.store(name="evaluate_schema", node=Evaluate)
    store.store(name="sample_schema", node=Sample)
    resolvers: dict[str, Callable[..., Any]] = {
        "slug": slug,
        "run_name": run_name,
        "job_name": job_name,
        "count_classes": count_classes,
        "classes_if": lambda conditional, classes: classes if conditional else 0,
        "without_classes": lambda split, unlabelled, classes: 0 if split == unlabelled else classes,
    }
    for name, function in resolvers.items():
        register_resolver(name, function)


def resolve(cfg: DictConfig, without: Sequence[str] = (), directory: str = "") -> DictConfig:
    """Return `cfg` with every interpolation resolved, after checking every value against the schema of `cfg`.

    The result has no `published_cases`, and short names of precisions are replaced by Lightning's full names.

    Args:
        cfg: a composed config.
        without: keys of the root to leave out, such as keys whose interpolations refer to another config.
        directory: the directory from which relative paths start; "": the working directory.

    Raises:
        UserError: a key is unknown or has no value, its interpolation fails, or its value is not allowed.
    """
    root, unknown = root_type(cfg), list(unknown_settings(cfg))
    cfg = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key not in without]) if without else cfg.copy()
    try:
        make_absolute(cfg, path_keys(root), directory)
        values = to_plain(cfg)
    except OmegaConfBaseException as error:
        reasons = list(node_violations(to_plain(cfg, resolve=False), root)) or [explain_interpolation(error, cfg=cfg)]
        raise _user_error_behind(error) or UserError("\n".join(reasons)) from None
    if missing := sorted(_missing(values)):
        comments = schema_comments(root)
        hints = {key: f" ({comments[key]})" if key in comments else "" for key in missing}
        raise UserError("\n".join(f"Missing value: {key}=…{hint}" for key, hint in hints.items()))
    trainer = values.get("trainer", {})
    if complaints := [*unknown, *field_violations(values, root), *reasons_against_values(trainer)]:
        raise UserError("\n".join(complaints))
    values.pop("published_cases", None)  # not a setting of a run: see `overlays.check_overlay`
    if "precision" in trainer:
        trainer["precision"] = FULL_NAMES.get(trainer["precision"], trainer["precision"])
    return OmegaConf.create(values)


def _missing(values: Any, key: str = "") -> Iterator[str]:
    """Yield the key of each value that must be set but is not."""
    if values == MISSING:
        yield key
    elif isinstance(values, Mapping):
        for name, value in values.items():
            yield from _missing(value, f"{key}.{name}" if key else name)
    elif isinstance(values, list):
        for index, value in enumerate(values):
            yield from _missing(value, f"{key}[{index}]")


def _user_error_behind(error: BaseException | None) -> UserError | None:
    """Return the UserError that caused `error`, such as the error of a resolver; None if no UserError caused it."""
    while error is not None and not isinstance(error, UserError):
        error = error.__cause__ or error.__context__
    return error
