"""The typed root of every config, and the resolvers that its YAML uses. Must not import torch.

Each field declares its type for OmegaConf, which converts overrides, and with `limited` the values that are allowed.
What lies below a `_target_` is checked against the signature of the target, see `instantiate.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Gt, Lt
from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ganexp.config.fields import NODES, field_violations, limited, limits
from ganexp.config.trainer_arguments import reasons_against_values
from ganexp.config.unknown_settings import unknown_settings
from ganexp.data.listing import count_classes
from ganexp.errors import UserError
from ganexp.runs.naming import job_name, run_name, slug
from ganexp.types import NonNegativeInt, PositiveFloat, PositiveInt

Accelerator = Literal["auto", "cpu", "gpu"]
Precision = Literal["32-true", 32, "bf16-mixed", "bf16"]
FULL_NAMES = {32: "32-true", "bf16": "bf16-mixed"}  # of Lightning's precisions


@dataclass
class Data:
    """The dataset."""

    resolution: int = limited(PositiveInt)  # pixels along each side
    channels: int = limited(PositiveInt)
    num_classes: int = limited(NonNegativeInt)  # 0: no labels
    source: Any = MISSING  # the function that loads a split
    root: str = "${oc.env:GANEXP_DATA,'~/.cache/ganexp/data'}"  # directory of the datasets
    path: str | None = None  # of a directory or zip of images
    split: str = "train"
    range: str = limited(Literal["symmetric", "unit"], "symmetric")  # of real pixels: [-1, 1]; unit: [0, 1]
    flip: bool = False  # mirror half of the real images
    # true: on the device; false: decoded when needed
    in_memory: Any = field(default="auto", metadata=limits(bool | Literal["auto"]))
    workers: int = limited(NonNegativeInt, 2)
    on_error: str = limited(Literal["skip", "raise"], "skip")  # raise: refuse a broken image file


@dataclass
class Ema:
    """The average of the generator's weights that samples are drawn from."""

    decay: float | None = limited(Annotated[float, Gt(0), Lt(1)] | None, None)  # null: no averaged generator
    start: int = limited(NonNegativeInt, 0)


@dataclass
class Schedule:
    """The length of the training and the order of its updates. A step is one generator update."""

    steps: int = limited(PositiveInt)
    evaluate_every: int = limited(PositiveInt)
    batch_size: int = limited(PositiveInt)
    updates: Any = MISSING
    max_d_steps: int | None = limited(PositiveInt | None, None)  # discriminator updates after which the run ends
    lr_decay: Any = None
    lr_reference_batch: int | None = limited(PositiveInt | None, None)  # the learning rates scale with batch_size / it
    ema: Ema = field(default_factory=Ema)
    # largest norm of each network's gradient; null: not clipped
    clip_gradients: dict[str, Any] = field(
        default_factory=lambda: {"generator": None, "discriminator": None},
        metadata=limits(dict[str, PositiveFloat | None]),
    )


@dataclass
class Loss:
    """The loss and the terms beside it."""

    adversarial: Any = MISSING
    logits: int = limited(PositiveInt, 1)  # number of the discriminator's outputs for each image
    n_critic: int = limited(PositiveInt, 1)  # discriminator updates a step, for schedules that leave it to the loss
    discriminator_norm: str = "batch"  # for networks that leave the choice to the loss
    epsilon: str = limited(Literal["per_sample", "per_element"], "per_sample")  # of penalties between real and fake
    probabilities: bool = False  # cross-entropy of clamped sigmoid outputs instead of logits, as in older code
    penalties: dict[str, Any] = field(default_factory=dict, metadata=NODES)
    constraint: Any = None
    # further terms, such as those of class logits
    auxiliary: dict[str, Any] = field(default_factory=dict, metadata=NODES)


@dataclass
class Model:
    """The networks."""

    generator: Any = MISSING
    discriminator: Any = MISSING
    latent: Any = MISSING
    conditional: bool = False
    # further networks, trained by terms of loss.auxiliary
    auxiliary: dict[str, Any] = field(default_factory=dict, metadata=NODES)


@dataclass
class Metrics:
    """The scores and the samples that a run records."""

    extractor: Any = None  # null: no scores
    samples: int = limited(PositiveInt, 10000)  # scored at each evaluation
    scores: dict[str, Any] = field(default_factory=dict, metadata=NODES)
    references: list[str] = field(default_factory=lambda: ["${data.split}"])  # splits; the first chooses the best
    # further sample counts at which FID is computed
    fid_at: list[int] = field(default_factory=list, metadata=limits(list[PositiveInt]))
    batch_size: int = limited(PositiveInt, 500)
    splits: int = limited(PositiveInt, 10)  # of the Inception Score
    best_by: str = "fid"  # the score that chooses the best checkpoint
    weights: str | None = None  # file of the extractor's weights, where it is not trained here
    cache: str = "${oc.env:GANEXP_CACHE,'~/.cache/ganexp'}"
    grid_rows: int = limited(PositiveInt, 10)  # of the grid of samples
    grid_columns: int = limited(PositiveInt, 10)


@dataclass
class Trainer:
    """Arguments of Lightning's Trainer, by their own names, and log_every; for the others see trainer_arguments.py."""

    accelerator: str = limited(Accelerator, "auto")
    devices: Any = field(default=1, metadata=limits(Literal[1]))
    precision: Any = field(default="32-true", metadata=limits(Precision))
    log_every: int = limited(PositiveInt, 50)  # steps between two points of a loss curve
    # true: the same bits on every machine of one kind; warn: where there is an algorithm that gives them
    deterministic: Any = field(default=False, metadata=limits(bool | Literal["warn"]))
    benchmark: bool | None = None  # let cuDNN try which convolution is fastest; null: unless deterministic
    detect_anomaly: bool = False  # find the operation whose gradient is NaN; slow
    enable_model_summary: bool = False  # print the layers at the start
    max_time: str | None = None  # DD:HH:MM:SS, after which the run stops at its next evaluation, to be resumed
    profiler: str | None = limited(Literal["simple", "advanced", "pytorch"] | None, None)  # report in the run directory


@dataclass
class Debug:
    """How a run that only tests something differs from one whose result counts; set by the options of `debug`."""

    keep_files: bool = True  # false: the run directory is temporary
    keep_scores: bool = True  # false: no scores in run.json, and no best.ckpt
    repeat_first_batch: bool = False  # train on the first batch of real images only


@dataclass
class Sweep:
    """Settings of a sweep that its jobs share."""

    prune: bool = False  # stop a job whose best score is worse than the median of the other jobs' at the same step


@dataclass
class Train:
    """Config of `ganexp train`."""

    data: Data = MISSING
    model: Model = MISSING
    loss: Loss = MISSING
    # of the discriminator's inputs, in this order
    augment: dict[str, Any] = field(default_factory=dict, metadata=NODES)
    schedule: Schedule = MISSING
    optimizer: dict[str, Any] = field(default_factory=dict, metadata=NODES)  # by the network's name
    metrics: Metrics = MISSING
    trainer: Trainer = MISSING
    callbacks: dict[str, Any] = field(default_factory=dict, metadata=NODES)
    logger: dict[str, Any] = field(default_factory=dict, metadata=NODES)
    name: str | None = None  # of the run; default: the chosen groups
    seed: int = limited(NonNegativeInt, 0)
    tags: list[str] = field(default_factory=list)  # of the run, for loggers that have tags
    sweep: Sweep = field(default_factory=Sweep)
    debug: Debug = field(default_factory=Debug)


@dataclass
class Describe(Train):
    """Config of `ganexp describe`."""

    estimate: bool = False  # time a few steps, and estimate hours, memory and disk space of the run


@dataclass
class EvaluateImages(Train):
    """Config of `ganexp evaluate images=…`."""

    images: str | None = None  # a directory or zip of images of any origin
    real: str | None = None  # or a split of the dataset: the scores of real images
    output: str | None = None  # directory of scores.json; default: none is written


@dataclass
class Evaluate:
    """Config of `ganexp evaluate ckpt=…`."""

    ckpt: str = MISSING  # a checkpoint, or a run directory: its best
    samples: int | None = limited(PositiveInt | None, None)  # default: as in the run
    references: list[str] | None = None  # splits; default: the one trained on, and test where there is one
    # further sample counts at which FID is computed
    fid_at: list[int] = field(default_factory=list, metadata=limits(list[PositiveInt]))
    seed: int = limited(NonNegativeInt, 1000)  # of the latents; not the one that chose the best checkpoint
    data_root: str | None = None  # where the dataset is now, if not where it was
    weights: str | None = None  # of the extractor, likewise
    metrics: Metrics = field(default_factory=Metrics)  # without an extractor: the run's own, with these scores
    accelerator: str = limited(Accelerator, "auto")
    output: str | None = None  # directory of scores.json; default: beside the checkpoint's run


@dataclass
class Sample:
    """Config of `ganexp sample`."""

    ckpt: str = MISSING  # a checkpoint, or a run directory: its best
    n: int = limited(PositiveInt, 64)
    seed: int = limited(NonNegativeInt, 0)
    truncation: float | None = limited(PositiveFloat | None, None)  # normal latents beyond it are drawn again
    format: str = limited(Literal["png", "zip", "npz"], "png")  # npz: uint8 (N, H, W, C) as arr_0, labels as arr_1
    accelerator: str = limited(Accelerator, "auto")
    output: str | None = None  # directory of the images; default: samples/drawn in the run


def register() -> None:
    """Make the schemas and resolvers known to Hydra; may be called again."""
    store = ConfigStore.instance()
    store.store(name="train_schema", node=Train)
    store.store(name="describe_schema", node=Describe)
    store.store(name="images_schema", node=EvaluateImages)
    store.store(name="evaluate_schema", node=Evaluate)
    store.store(name="sample_schema", node=Sample)
    resolvers = {
        "slug": slug,
        "run_name": run_name,
        "job_name": job_name,
        "count_classes": count_classes,
        "classes_if": lambda conditional, classes: classes if conditional else 0,
        "without_classes": lambda split, unlabelled, classes: 0 if split == unlabelled else classes,
    }
    for name, function in resolvers.items():
        OmegaConf.register_new_resolver(name, function, replace=True)


def resolve(cfg: DictConfig, without: Sequence[str] = ()) -> DictConfig:
    """Return `cfg` with every interpolation resolved, and every value checked against the schema it was composed from.

    Args:
        cfg: a composed config.
        without: keys of the root to leave out, such as those whose interpolations refer to another config.

    Raises:
        UserError: a key is unknown or has no value, its interpolation fails, or its value is not allowed.
    """
    root, unknown = OmegaConf.get_type(cfg), list(unknown_settings(cfg))
    cfg = OmegaConf.masked_copy(cfg, [key for key in cfg if key not in without]) if without else cfg
    try:
        missing = sorted(OmegaConf.missing_keys(cfg))
        values = OmegaConf.to_container(cfg, resolve=True)
    except OmegaConfBaseException as error:
        raise _user_error_behind(error) or UserError(str(error)) from None
    if missing:
        raise UserError("\n".join(f"Missing value: {key}=…" for key in missing))
    trainer = values.get("trainer", {})
    if complaints := [*unknown, *field_violations(values, root), *reasons_against_values(trainer)]:
        raise UserError("\n".join(complaints))
    if "precision" in trainer:
        trainer["precision"] = FULL_NAMES.get(trainer["precision"], trainer["precision"])
    return OmegaConf.create(values)


def _user_error_behind(error: BaseException | None) -> UserError | None:
    """Return the UserError behind `error`, which a resolver raised; None if it was caused by something else."""
    while error is not None and not isinstance(error, UserError):
        error = error.__cause__ or error.__context__
    return error
