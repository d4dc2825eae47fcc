"""The typed sections of a config: data, model, loss, schedule, metrics, trainer, debug, sweep.

This module must not import torch. Each field declares a type, to which OmegaConf converts the values of overrides. A
field with `limited` or `limits` also declares the allowed values. The arguments of a `_target_` are checked against the
signature of the target, see `instantiate.py`.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt
from omegaconf import MISSING

from ganexp.config.fields import NODE, NODE_OR_NULL, NODES, limited, limits
from ganexp.config.paths import PATH
from ganexp.types import GridSide, ImageCount, NonNegativeInt, PositiveFloat, PositiveInt, Resolution, ThreadCount

Accelerator = Literal["auto", "cpu", "gpu"]
SampleCounts = list[Annotated[int, Ge(2)]]  # numbers of samples for which FID is computed
Precision = Literal["32-true", 32, "bf16-mixed", "bf16", "auto"]


@dataclass
class Data:
    """The dataset."""

    resolution: int = limited(Resolution)  # pixels along each side
    channels: int = limited(Literal[1, 3])  # 1: grey, 3: colour
    num_classes: int = limited(NonNegativeInt)  # 0: no labels
    # number of images in the training split, to plan epochs before the images are read
    images: int | None = limited(PositiveInt | None, None)
    source: Any = field(default=MISSING, metadata=NODE)  # the function that loads a split
    # directory of the datasets
    root: str = field(default="${oc.env:GANEXP_DATA,'~/.cache/ganexp/data'}", metadata=PATH)
    path: str | None = field(default=None, metadata=PATH)  # path of a directory or zip of images
    split: str = "train"  # the split to train on
    # number of images of this split to train on; they are chosen at random, but are the same in every run; scores still
    # compare the samples with the whole split; null: all images
    training_images: int | None = limited(PositiveInt | None, None)
    classes: list[str] | None = None  # names of the labels 0, 1, …; null: the names in the training split
    background: str = "white"  # the colour behind transparent pixels: a name, or #rrggbb
    # what resume does when the images or the feature extractor of the scores have changed
    changed: str = limited(Literal["refuse", "accept"], "refuse")
    range: str = limited(Literal["symmetric", "unit"], "symmetric")  # symmetric: real pixels in [-1, 1]; unit: [0, 1]
    flip: bool = False  # mirror each real image with probability ½
    # whether to keep all images in the memory of the device; false: decode images when they are needed; auto: keep the
    # images if the memory suffices
    in_memory: Any = field(default="auto", metadata=limits(bool | Literal["auto"]))
    # number of processes that decode images, if the images are not kept in memory; 0: the main process decodes them
    workers: int = limited(NonNegativeInt, 2)
    on_error: str = limited(Literal["skip", "raise"], "skip")  # what to do with a broken image file


@dataclass
class Ema:
    """The moving average of the generator's weights, which is used for sampling."""

    decay: float | None = limited(Annotated[float, Gt(0), Lt(1)] | None, None)  # null: no averaged generator
    start: int = limited(NonNegativeInt, 0)


@dataclass
class Schedule:
    """The length of the training and the order of its updates. A step is one generator update."""

    steps: int | None = limited(PositiveInt | None)  # null: as many steps as `epochs` need
    epochs: int | None = limited(PositiveInt | None, None)  # passes over the training split; null: given by `steps`
    evaluate_every: int | None = limited(PositiveInt | None)  # null: given by `evaluate_every_epochs`
    evaluate_every_epochs: int | None = limited(PositiveInt | None, None)  # null: given by `evaluate_every`
    # what evaluate_every and trainer.log_every count: steps, or discriminator updates (d_steps)
    evaluate_by: str = limited(Literal["steps", "d_steps"], "steps")
    # numbers of epochs after which a checkpoint is kept
    keep_at: list[int] = field(default_factory=list, metadata=limits(list[PositiveInt]))
    batch_size: int = limited(PositiveInt)  # number of images in an update, over all devices
    # number of equal parts of a batch that go through the networks one after another; the gradients are averaged
    accumulate: int = limited(PositiveInt, 1)
    updates: Any = field(default=MISSING, metadata=NODE)  # the rule for the order of the updates
    # auto: if D treats each image by itself, real and generated images go through D in one batch, and spectral norm
    # makes one power iteration in each update; false: real and generated images go through D in two batches, and
    # spectral norm makes one power iteration in each forward pass of a layer
    joint_batch: Any = field(default="auto", metadata=limits(Literal["auto", False]))
    max_d_steps: int | None = limited(PositiveInt | None, None)  # D updates after which the run ends; null: no limit
    # decay of the learning rates over the run; null: constant learning rates
    lr_decay: Any = field(default=None, metadata=NODE_OR_NULL)
    # for networks that grow in stages: the stage at each step; null: the networks have full size from the start
    growth: Any = field(default=None, metadata=NODE_OR_NULL)
    # the batch size for which the learning rates are meant; the rates are multiplied by batch_size divided by this
    # number; null: no scaling
    lr_reference_batch: int | None = limited(PositiveInt | None, None)
    ema: Ema = field(default_factory=Ema)
    # for each network, the maximum norm of the gradient; null: the gradient is not clipped
    clip_gradients: dict[str, Any] = field(
        default_factory=lambda: {"generator": None, "discriminator": None},
        metadata=limits(dict[str, PositiveFloat | None]),
    )


@dataclass
class Loss:
    """The adversarial loss and its additional terms."""

    adversarial: Any = field(default=MISSING, metadata=NODE)  # the loss of discriminator and generator
    # number of outputs of the discriminator for each image
    logits: int = limited(Annotated[int, Ge(1), Le(100_000)], 1)
    n_critic: int = limited(PositiveInt, 1)  # D updates per step, if schedule.updates uses this value
    discriminator_norm: str = "batch"  # normalisation in D, if the network uses this value
    # the random weights with which penalties and losses mix real and generated images: one for each pair of images
    # (per_sample), or one for each pixel and channel (per_element)
    epsilon: str = limited(Literal["per_sample", "per_element"], "per_sample")
    probabilities: bool = False  # whether the cross-entropy uses clamped sigmoid outputs instead of logits
    penalties: dict[str, Any] = field(default_factory=dict, metadata=NODES)  # additional terms of D's loss
    # constraint on the discriminator's weights, such as clipping; null: no constraint
    constraint: Any = field(default=None, metadata=NODE_OR_NULL)
    # further loss terms, such as the cross-entropy of class logits
    auxiliary: dict[str, Any] = field(default_factory=dict, metadata=NODES)
    # changes of the discriminator's update, such as flipped labels
    modifiers: dict[str, Any] = field(default_factory=dict, metadata=NODES)


@dataclass
class Model:
    """The networks."""

    generator: Any = field(default=MISSING, metadata=NODE)
    discriminator: Any = field(default=MISSING, metadata=NODE)
    latent: Any = field(default=MISSING, metadata=NODE)  # distribution of the generator's latents
    conditional: bool = False  # whether both networks receive class labels
    # further networks, which are trained by the terms of loss.auxiliary
    auxiliary: dict[str, Any] = field(default_factory=dict, metadata=NODES)


@dataclass
class Metrics:
    """The scores and the samples that a run records."""

    extractor: Any = field(default=None, metadata=NODE_OR_NULL)  # the feature extractor; null: no scores
    samples: int = limited(ImageCount, 10000)  # number of images generated for each evaluation
    scores: dict[str, Any] = field(default_factory=dict, metadata=NODES)  # the scores; chosen by metrics/score=[is,fid]
    references: list[str] = field(default_factory=lambda: ["${data.split}"])  # splits of real images to compare with
    # further numbers of samples for which FID is computed
    fid_at: list[int] = field(default_factory=list, metadata=limits(SampleCounts))
    # number of images that are generated together, and that the feature extractor receives together
    batch_size: int = limited(PositiveInt, 500)
    splits: int = limited(PositiveInt, 10)  # number of parts into which the Inception Score divides the samples
    # shares of the classes in the scored samples; reference: as in the first reference; uniform: equal shares
    labels: str = limited(Literal["reference", "uniform"], "reference")
    best_by: str = "fid"  # the score that chooses the best checkpoint
    # file with the weights of a pretrained feature extractor
    weights: str | None = field(default=None, metadata=PATH)
    # directory of the cached classifiers and statistics of real images
    cache: str = field(default="${oc.env:GANEXP_CACHE,'~/.cache/ganexp'}", metadata=PATH)
    grid_rows: int = limited(GridSide, 10)  # rows of the sample grid
    grid_columns: int = limited(GridSide, 10)  # columns of the sample grid
    # whether every evaluation saves samples/interpolations/step-*.png, a picture of samples and interpolations
    interpolate: bool = False


@dataclass
class Trainer:
    """Settings of ganexp, and the arguments of Lightning's Trainer that a config can set.

    `trainer_arguments.py` lists the arguments that a config cannot set.
    """

    accelerator: str = limited(Accelerator, "auto")  # auto: a GPU if there is one
    # number of devices in each machine; several devices train the same networks together, see docs/devices.md
    devices: int = limited(PositiveInt, 1)
    num_nodes: int = limited(PositiveInt, 1)  # number of machines that train together, see docs/devices.md
    sync_batchnorm: bool = False  # whether batch norm uses the images of all GPUs, if there are several
    # number of CPU threads; auto: few threads for small networks, because many threads would slow these networks down
    threads: Any = field(default="auto", metadata=limits(ThreadCount | Literal["auto"]))
    # auto: bf16-mixed where measurements showed that this precision is faster, see commands/precision.py
    precision: Any = field(default="32-true", metadata=limits(Precision))
    log_every: int = limited(PositiveInt, 50)  # steps between two logged losses
    # what to do if an update runs out of memory; halve: double schedule.accumulate for the rest of the run, and repeat
    # the update, but only once in a run; raise: end the run
    on_oom: str = limited(Literal["halve", "raise"], "halve")
    # true: a run is bitwise repeatable on the same kind of machine, and an operation that is not repeatable raises an
    # error; warn: such an operation only causes a warning
    deterministic: Any = field(default=False, metadata=limits(bool | Literal["warn"]))
    # on a GPU: whether 32-bit convolutions and matrix products use TF32 with its 10-bit mantissas; scores never use it
    tf32: bool = True
    # whether all channels of a pixel are stored next to each other, which makes training faster
    channels_last: bool = True
    # on a single GPU: whether the computation of an update's gradients is launched as one CUDA graph; auto: true if all
    # networks and all parts of the loss come from ganexp or torch
    cuda_graph: Any = field(default="auto", metadata=limits(bool | Literal["auto"]))
    # whether one compiled function computes the gradients of an update, where possible; auto: true on a single GPU
    compile: Any = field(default=False, metadata=limits(bool | Literal["auto"]))
    # whether cuDNN times convolution algorithms to choose the fastest; null: yes, unless trainer.deterministic is set
    benchmark: bool | None = None
    detect_anomaly: bool = False  # whether to name an operation with a NaN gradient; slow
    enable_model_summary: bool = False  # whether to print a table of the layers at the start
    max_time: str | None = None  # DD:HH:MM:SS after which the run stops at its next evaluation; it can be resumed
    # a profiler of Lightning, which writes its report to the run directory; null: no profiler
    profiler: str | None = limited(Literal["simple", "advanced", "pytorch"] | None, None)


@dataclass
class Debug:
    """Settings of test runs, which the options of the group `debug` set."""

    keep_files: bool = True  # false: the run directory is temporary
    keep_scores: bool = True  # false: no scores in run.json, and no best.ckpt
    repeat_first_batch: bool = False  # train on the first batch of real images only
    dry_run: bool = False  # build the networks, read and describe the dataset, and stop before training


@dataclass
class Sweep:
    """Settings that all jobs of a sweep share."""

    # stop a job if its best score is worse than the median of the other jobs' best scores up to the same step
    prune: bool = False
