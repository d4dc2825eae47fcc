"""The typed root of every config, and the resolvers its YAML uses. No torch.

Keys outside the groups are typed here; a group's `_target_` nodes are typed by the signature they name.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ganexp.data.listing import count_classes
from ganexp.errors import UserError


@dataclass
class Data:
    resolution: int = MISSING  # pixels a side
    channels: int = MISSING
    num_classes: int = MISSING  # 0: no labels
    source: Any = MISSING  # the function that loads a split
    root: str = "${oc.env:GANEXP_DATA,'~/.cache/ganexp/data'}"  # where data sets live
    path: str | None = None  # of a folder or zip of images
    split: str = "train"
    range: str = "symmetric"  # of the pixels that the discriminator sees: [-1, 1]; unit: [0, 1]
    flip: bool = False  # mirror half of the real images
    in_memory: Any = "auto"  # true: on the device; false: decoded by workers as needed
    workers: int = 2
    on_error: str = "skip"  # raise: refuse a broken image file


@dataclass
class Ema:
    decay: float | None = None
    start: int = 0


@dataclass
class Schedule:
    steps: int = MISSING
    evaluate_every: int = MISSING
    batch_size: int = MISSING
    updates: Any = MISSING
    max_d_steps: int | None = None  # discriminator updates after which the run ends, whatever steps are left
    lr_decay: Any = None
    lr_reference_batch: int | None = None  # the batch that the learning rates are meant for: they scale with batch_size
    ema: Ema = field(default_factory=Ema)


@dataclass
class Loss:
    adversarial: Any = MISSING
    logits: int = 1  # an image, that this loss wants from the discriminator
    n_critic: int = 1  # discriminator updates a step, for schedules that leave the choice to the loss
    discriminator_norm: str = "batch"  # for networks that leave the choice to the loss
    epsilon: str = "per_sample"  # of penalties between real and fake; per_element: one a pixel, a common slip
    probabilities: bool = False  # cross-entropy of sigmoid outputs, clamped, as older code has it, instead of logits
    penalties: dict[str, Any] = field(default_factory=dict)
    constraint: Any = None
    auxiliary: Any = None  # class terms, of a head on the discriminator or of model.classifier


@dataclass
class Model:
    generator: Any = MISSING
    discriminator: Any = MISSING
    latent: Any = MISSING
    conditional: bool = False
    classifier: Any = None  # a third network, for loss.auxiliary


@dataclass
class Optimizers:
    generator: Any = MISSING
    discriminator: Any = MISSING
    classifier: Any = None


@dataclass
class Metrics:
    extractor: Any = None  # null: no scores
    samples: int = 10000  # scored at each evaluation
    scores: list[str] = field(default_factory=lambda: ["is", "fid"])  # all names: ganexp.metrics.scores.NAMES
    references: list[str] = field(default_factory=lambda: ["${data.split}"])  # splits; the first chooses the best
    fid_at: list[int] = field(default_factory=list)  # sample counts at which FID is taken on the way
    batch_size: int = 500
    splits: int = 10  # of the Inception Score
    best_by: str = "fid"  # the score that chooses the best checkpoint; is
    weights: str | None = None  # of the extractor, where it is not trained here
    cache: str = "${oc.env:GANEXP_CACHE,'~/.cache/ganexp'}"


@dataclass
class Trainer:
    accelerator: str = "auto"
    precision: str = "32-true"
    log_every: int = 50  # steps between two points of a loss curve


@dataclass
class Sweep:
    prune: bool = False  # stop a point whose best score is worse than the median of the other points' at the same step


@dataclass
class Train:
    data: Data = MISSING
    model: Model = MISSING
    loss: Loss = MISSING
    schedule: Schedule = MISSING
    optimizer: Optimizers = MISSING
    metrics: Metrics = MISSING
    trainer: Trainer = MISSING
    name: str | None = None  # of the run; default: the chosen groups
    seed: int = 0
    sweep: Sweep = field(default_factory=Sweep)


@dataclass
class Describe(Train):
    estimate: bool = False  # time a few steps: hours, memory and disk of the run


@dataclass
class EvaluateImages(Train):
    images: str | None = None  # a folder or zip, of samples of whatever origin
    real: str | None = None  # or a split of the set itself: what scores real images have
    output: str | None = None  # folder of scores.json; default: none is written


@dataclass
class Evaluate:
    ckpt: str = MISSING  # a checkpoint, or a run folder: its best
    samples: int | None = None  # default: as in the run
    scores: list[str] = field(default_factory=lambda: ["is", "fid", "kid", "neighbours", "diversity"])
    references: list[str] | None = None  # splits; default: the one trained on, and test where there is one
    fid_at: list[int] = field(default_factory=list)  # sample counts at which FID is taken on the way
    seed: int = 1000  # of the latents; another than the one by which the best checkpoint was chosen
    data_root: str | None = None  # where the data lies now, if not where it was
    weights: str | None = None  # of the extractor, likewise
    metrics: Metrics | None = None  # another ruler; default: the run's own
    accelerator: str = "auto"
    output: str | None = None  # folder of scores.json; default: beside the checkpoint's run


@dataclass
class Sample:
    ckpt: str = MISSING  # a checkpoint, or a run folder: its best
    n: int = 64
    seed: int = 0
    truncation: float | None = None  # of normal latents: values beyond it are drawn anew
    format: str = "png"  # of the images: png, zip (of PNGs), npz (uint8 N x H x W x C, as arr_0, labels as arr_1)
    accelerator: str = "auto"
    output: str | None = None  # folder of the pictures; default: samples/drawn in the run


def slug(text: str) -> str:
    """A name that is safe in a path and on a command line: anything but letters, digits, . + - _ becomes -."""
    return re.sub(r"[^\w.+-]+", "-", str(text)).strip("-")[:150] or "run"


def run_name(name: str | None, *choices: str | None) -> str:
    """`name`, else the experiment's, else the chosen groups joined: run_name(None, experiment, data, model, loss)."""
    if name:
        return slug(name)
    experiment, *groups = choices
    return slug(experiment or "-".join(str(group) for group in groups))


def point_name(number: int, words: str) -> str:
    """The folder of a sweep's point: point_name(3, "loss-hinge_seed-1") is 03-loss-hinge_seed-1."""
    return f"{number:02}-{slug(words)}"


def register() -> None:
    """Makes the schemas and resolvers known to Hydra; may be called again."""
    store = ConfigStore.instance()
    store.store(name="train_schema", node=Train)
    store.store(name="describe_schema", node=Describe)
    store.store(name="images_schema", node=EvaluateImages)
    store.store(name="evaluate_schema", node=Evaluate)
    store.store(name="sample_schema", node=Sample)
    resolvers = {
        "slug": slug,
        "run_name": run_name,
        "point_name": point_name,
        "count_classes": count_classes,
        "classes_if": lambda conditional, classes: classes if conditional else 0,
        "without_classes": lambda split, unlabelled, classes: 0 if split == unlabelled else classes,
    }
    for name, function in resolvers.items():
        OmegaConf.register_new_resolver(name, function, replace=True)


def resolve(cfg: DictConfig) -> DictConfig:
    """`cfg` with every interpolation resolved.

    Raises:
        UserError: a key without a value, or one whose interpolation fails.
    """
    try:
        missing = sorted(OmegaConf.missing_keys(cfg))
        resolved = OmegaConf.to_container(cfg, resolve=True)
    except OmegaConfBaseException as error:
        raise _cause(error) or UserError(str(error)) from None
    if missing:
        raise UserError("\n".join(f"Missing value: {key}=…" for key in missing))
    return OmegaConf.create(resolved)


def _cause(error: BaseException | None) -> UserError | None:
    """The UserError behind `error`, which a resolver raised; None if another kind is."""
    while error is not None and not isinstance(error, UserError):
        error = error.__cause__ or error.__context__
    return error
