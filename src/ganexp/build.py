"""From a resolved config to the objects of a run."""

import json
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from ganexp.config import checks, trust
from ganexp.data.images import ImageSet, fits
from ganexp.data.stream import ImageStream
from ganexp.errors import UserError
from ganexp.losses import Objective
from ganexp.runs.run_directory import RunFolder, newest_below
from ganexp.training.gan import GAN


def build_gan(cfg: DictConfig) -> GAN:
    """Both networks with what they minimise, checked for combinations that make no sense."""
    model, loss, schedule = cfg.model, cfg.loss, cfg.schedule
    objective = Objective(
        make(loss.adversarial, "loss.adversarial"),
        {name: make(node, f"loss.penalties.{name}") for name, node in loss.penalties.items()},
        make(loss.constraint, "loss.constraint"),
        make(loss.auxiliary, "loss.auxiliary"),
    )
    scale = schedule.batch_size / schedule.lr_reference_batch if schedule.lr_reference_batch else 1.0
    gan = GAN(
        generator=make(model.generator, "model.generator"),
        discriminator=make(model.discriminator, "model.discriminator"),
        objective=objective,
        update=make(schedule.updates, "schedule.updates"),
        classifier=make(model.classifier, "model.classifier"),
        optimizers={name: partial(_make_optimizer, node, name, scale) for name, node in cfg.optimizer.items() if node},
        latent=make(model.latent, "model.latent"),
        num_classes=cfg.data.num_classes if model.conditional else 0,
        steps=schedule.steps,
        max_d_steps=schedule.max_d_steps,
        unit=cfg.data.range == "unit",
        lr_decay=make(schedule.lr_decay, "schedule.lr_decay"),
        ema_decay=schedule.ema.decay,
        ema_start=schedule.ema.start,
        log_every=min(cfg.trainer.log_every, schedule.evaluate_every),  # a point a period at least
    )
    checks.check(cfg, gan)
    gan.configure_optimizers()  # a bad optimizer setting shows here, not in the middle of the start
    return gan


def build_image_set(cfg: DictConfig, split: str | None = None) -> ImageSet | None:
    """The set's `split`, by default the one to train on; None for a test split that the set has not.

    The sets last asked for are kept: training, the watch on D, scores, and the next point of a sweep share them.

    Raises:
        UserError: missing files, or another number of classes than the config says.
    """
    data = cfg.data
    source = json.dumps(OmegaConf.to_container(data.source), sort_keys=True)
    root = str(Path(data.root).expanduser())
    image_set = _read(source, root, split or data.split, data.resolution, data.channels, Path.cwd())
    if image_set is not None and image_set.num_classes != data.num_classes and split is None:
        raise UserError(
            f"data.num_classes={data.num_classes}, but the set has {image_set.num_classes} classes: "
            f"set data.num_classes={image_set.num_classes}"
        )
    return image_set


@lru_cache(maxsize=2)  # a set's two splits
def _read(source: str, root: str, split: str, resolution: int, channels: int, _cwd: Path) -> ImageSet | None:
    """The split, read once; from another working directory a relative path is another set."""
    sizes = {"resolution": resolution, "channels": channels}
    return make(OmegaConf.create(source), "data.source", root=root, split=split, **sizes)


def build_stream(cfg: DictConfig, image_set: ImageSet, device: torch.device) -> ImageStream:
    """Endless batches of `image_set` on `device`."""
    data, batch_size = cfg.data, cfg.schedule.batch_size
    if batch_size > len(image_set):
        raise UserError(
            f"schedule.batch_size={batch_size} is more than the {len(image_set)} images of the set: "
            f"use schedule.batch_size={len(image_set)} or less"
        )
    resident = data.in_memory
    if resident == "auto":
        resident = device.type == "cpu" or fits(len(image_set), data.resolution, data.channels, device)
    unit = data.range == "unit"
    return ImageStream(image_set, batch_size, cfg.seed, data.flip, device, resident, data.workers, unit=unit)


def choose_device(accelerator: str) -> torch.device:
    """The device that Lightning's `accelerator` means here.

    Raises:
        UserError: an unknown one, or a GPU where there is none.
    """
    if accelerator not in ("auto", "cpu", "gpu"):
        raise UserError(f"trainer.accelerator={accelerator}: use auto, cpu or gpu")
    if accelerator == "gpu" and not torch.cuda.is_available():
        raise UserError("trainer.accelerator=gpu, but torch finds no GPU here: use trainer=cpu or trainer=auto")
    return torch.device("cpu" if accelerator == "cpu" or not torch.cuda.is_available() else "cuda")


def device_name(device: torch.device) -> str:
    """What to call it in a record."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"


def load_run(ckpt: str, accelerator: str) -> tuple[DictConfig, GAN, RunFolder, dict[str, Any]]:
    """What a checkpoint, or a run folder's best one, holds: config, GAN on its device, folder, facts.

    Weights are read as tensors alone and the config is checked, so that neither runs a stranger's code.

    Raises:
        UserError: no checkpoint there, a damaged one, or one whose weights do not fit the config beside it.
    """
    path = Path(ckpt).expanduser()
    if path.is_dir():
        folder = RunFolder(path)
        path = next((p for p in (folder.best, folder.last) if p.exists()), folder.best)
    if not path.is_file():
        raise UserError(f"ckpt={ckpt}: no checkpoint there. Name a .ckpt file or a run folder.{newest_below(ckpt)}")
    folder = RunFolder(path.parent.parent)
    cfg = trust.load(folder.config)
    gan = build_gan(cfg)
    saved = read_checkpoint(path)
    try:
        gan.load_state_dict(saved["state_dict"])
    except (RuntimeError, TypeError, AttributeError) as error:
        raise UserError(f"{path} does not fit the config beside it, {folder.config}: {str(error)[:300]}") from None
    gan.step = saved["ganexp"]["step"]
    facts = {"checkpoint": str(path), "step": gan.step, "ema": gan.ema is not None}
    return cfg, gan.to(choose_device(accelerator)), folder, facts


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The checkpoint in `path`, on the CPU: tensors and plain values alone.

    Raises:
        UserError: a damaged file, one that holds code, or none of ganexp's.
    """
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        return {"state_dict": saved["state_dict"], "ganexp": saved["ganexp"]} | saved
    except Exception as error:  # whatever the damage leads to
        raise UserError(
            f"{path} cannot be read: it is damaged or no checkpoint of ganexp ({type(error).__name__}).\n"
            "Use another checkpoint of the run; without last.ckpt, ganexp resume starts anew."
        ) from None


def _make_optimizer(
    node: DictConfig, name: str, scale: float, parameters: list[torch.nn.Parameter]
) -> torch.optim.Optimizer:
    settings = OmegaConf.to_container(node)
    if scale != 1 and "lr" in settings:
        settings["lr"] *= scale
    if "betas" in settings:
        settings["betas"] = [float(beta) for beta in settings["betas"]]  # Adam refuses [0, 0.9]
    optimizer = make(OmegaConf.create(settings | {"_partial_": True}), f"optimizer.{name}")
    try:
        return optimizer(parameters)
    except (InstantiationException, TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"optimizer.{name}: {error.__cause__ or error}") from None


def make(node: DictConfig | None, key: str, /, **arguments: Any) -> Any:
    """What `node` describes, or None for null.

    Raises:
        UserError: with the key, when its `_target_` cannot be found or refuses its arguments.
    """
    if node is None:
        return None
    if "_target_" not in node:
        raise UserError(f"{key} has no _target_: choose an option of its group, or name a class")
    try:
        return instantiate(node, **arguments, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, UserError):
            raise cause from None
        if isinstance(cause, (TypeError, ValueError, KeyError, ImportError)) or cause is None:
            raise UserError(f"{key}: {cause or error}") from None
        raise
