"""`ganexp train`: train what a config describes, in a run directory of its own."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from ganexp import build, build_scores
from ganexp.callbacks.pruning import Pruning
from ganexp.checkpoint import latest_checkpoint, remove_preemption_checkpoints
from ganexp.commands.result import record_result
from ganexp.console import say, short_path
from ganexp.data.datamodule import StreamData
from ganexp.data.images import ImageSet
from ganexp.errors import UserError
from ganexp.loggers.metrics_file import MetricsFile
from ganexp.metrics.collection import Scores
from ganexp.runs.environment import environment, now
from ganexp.runs.run_directory import RunDirectory
from ganexp.sampling import EVALUATION_SEED, sampling_protocol
from ganexp.training import trainer as trainers
from ganexp.training.gan import GAN


@dataclass
class Prepared:
    """What a training needs, checked and built before a run directory is created."""

    gan: GAN
    data: StreamData
    device: torch.device
    image_sets: dict[str, ImageSet]


def train(cfg: DictConfig, path: str, groups: Mapping[str, Any], overrides: Sequence[str]) -> float | None:
    """Train what the resolved `cfg` describes, in a new run directory at `path`.

    Args:
        cfg: the resolved config.
        path: of the run directory; if it is taken, a number is added.
        groups: the option chosen for each group, kept in run.json for comparisons.
        overrides: of the command line, likewise.

    Returns:
        The FID of the best checkpoint, for sweeps; None without scores.
    """
    prepared = prepare(cfg)
    run = RunDirectory.create_unique(path)
    with run.locked():
        run.save_config(cfg)
        chosen = {"name": cfg.name, "status": "running", "groups": dict(groups), "overrides": list(overrides)}
        run.update_metadata(**chosen, started=now(), **environment())
        return fit_run(cfg, run, prepared)


def prepare(cfg: DictConfig) -> Prepared:
    """Build everything that can be refused.

    Raises:
        UserError: wrong or incompatible settings, missing data, missing weights of the feature extractor.
    """
    pl.seed_everything(cfg.seed, verbose=False)
    gan = build.build_gan(cfg)
    device = trainers.choose_device(cfg.trainer.accelerator)
    image_sets = build.build_image_sets(cfg)
    gan.stream = build.build_stream(cfg, image_sets["train"], device)
    gan.scores = build_scores.build_scores(cfg, image_sets["train"], device, gan.num_classes)
    build_scores.best_score(cfg, gan.scores)
    return Prepared(gan, build.build_data(cfg, gan), device, image_sets)


def fit_run(cfg: DictConfig, run: RunDirectory, prepared: Prepared) -> float | None:
    """Train in the locked directory `run`, from its latest checkpoint if it has one, and record the result."""
    gan, data, device = prepared.gan, prepared.data, prepared.device
    say(f"run directory: {short_path(run.path)}")
    run.update_metadata(device=trainers.device_name(device), precision=cfg.trainer.precision)
    if gan.scores:
        _describe_scores(run, gan, gan.scores)
    remove_preemption_checkpoints(run)
    checkpoint, resume_step = latest_checkpoint(run)
    monitor, mode = build_scores.best_score(cfg, gan.scores)
    file_logger = MetricsFile(run, resume_step)
    loggers = [file_logger, *build.build_loggers(cfg, run, resume_step)]
    callbacks = build.build_callbacks(cfg, run, prepared.image_sets)
    pruning = [Pruning(run, monitor, mode)] if cfg.sweep.prune else []
    trainer = trainers.make_trainer(
        device,
        run.path,
        cfg.trainer.precision,
        max_epochs=math.ceil(cfg.schedule.steps / cfg.schedule.evaluate_every),
        callbacks=[
            *trainers.required_callbacks(),
            *callbacks,
            *pruning,
            *trainers.checkpoint_callbacks(run, monitor, mode),
        ],
        loggers=loggers,
    )
    with recorded_status(run):
        if resume_step == 0:
            trainers.validate(gan, data, device, callbacks, loggers)
        trainers.fit(trainer, gan, data, checkpoint)
    status = "pruned" if any(callback.stopped for callback in pruning) else "finished"
    return record_result(cfg, run, loggers, monitor, mode, status)


def _describe_scores(run: RunDirectory, gan: GAN, scores: Scores) -> None:
    """Print what scores the run, and record it."""
    extractor = scores.extractor
    for fact, value in extractor.facts.items():
        say(f"{fact.replace('_', ' ')}: {value:.2%}" if isinstance(value, float) else f"{fact}: {value}")
    say(f"feature extractor: {extractor.name} (input: {extractor.input})")
    protocol = scores.protocol() | sampling_protocol(gan) | {"seed": EVALUATION_SEED}
    run.update_metadata(extractor=extractor.facts, protocol=protocol, score_info=scores.info())


@contextmanager
def recorded_status(run: RunDirectory) -> Iterator[None]:
    """Record in run.json how a run that does not reach its end was stopped."""
    try:
        yield
    except UserError as error:
        run.update_metadata(status="failed", ended=now(), error=str(error))
        raise
    except (KeyboardInterrupt, SystemExit):
        run.update_metadata(status="interrupted", ended=now())
        say(f"\nStopped. Resume with: ganexp resume {short_path(run.path)}")
        raise
    except BaseException as error:
        run.update_metadata(status="failed", ended=now(), error=f"{type(error).__name__}: {error}")
        raise
