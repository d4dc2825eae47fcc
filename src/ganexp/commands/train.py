"""Run `ganexp train`: train the networks of a config in a new run directory."""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from pytorch_lightning import Callback
from pytorch_lightning.loggers import Logger

from ganexp import build, build_scores, offline
from ganexp.callbacks.guard import Guard
from ganexp.callbacks.kept_checkpoints import KeptCheckpoints
from ganexp.callbacks.pruning import Pruning
from ganexp.callbacks.rollback import must_roll_back, roll_back
from ganexp.callbacks.shared_stop import signals_delayed
from ganexp.callbacks.time_limit import TimeLimit
from ganexp.checkpoint import check_fits, latest_checkpoint, read_checkpoint, remove_preemption_checkpoints
from ganexp.commands.data_identity import describe_content
from ganexp.commands.launching.connection import connected
from ganexp.commands.launching.slurm import requeued_if_preempted
from ganexp.commands.prepare import Prepared, check_only, prepare
from ganexp.commands.result import record_result, record_settings
from ganexp.commands.run_status import recorded_status
from ganexp.commands.score_identity import training_protocol
from ganexp.commands.score_table import warn_of_few_images
from ganexp.commands.sweeps.job import how_to_resume
from ganexp.config.averaging import average_warning
from ganexp.console import clock_time, logged_to, say, say_once, short_path
from ganexp.errors import UserError
from ganexp.loggers.metrics_file import MetricsFile
from ganexp.loggers.result import closing
from ganexp.metrics.collection import Scores
from ganexp.runs.environment import environment, now
from ganexp.runs.process import this_process
from ganexp.runs.run_directory import RunDirectory, remove_if_empty, sweep_above
from ganexp.training import processes
from ganexp.training import trainer as trainers
from ganexp.training.gan import GAN
from ganexp.training.length import in_steps

ROLLED_BACK = "rolled back"  # the status if the run must continue from an earlier checkpoint


def train(cfg: DictConfig, path: str, groups: Mapping[str, Any], overrides: Sequence[str]) -> float | None:
    """Train the networks of the resolved `cfg` in a new run directory at `path`, or in a temporary directory.

    Args:
        cfg: the resolved config.
        path: path of the run directory; if it is taken, a number is added.
        groups: the chosen option of each group, which is stored in run.json for comparisons.
        overrides: the overrides of the command line, which are stored in run.json, too.

    Returns:
        The value that a search minimises; None if no score chooses the best checkpoint, or there is no run directory.
    """
    if cfg.debug.dry_run:
        _dry_run(cfg)
        remove_if_empty(path)  # Hydra has created this directory
        return None
    cfg = _with_steps(cfg)
    prepared = prepare(cfg)
    with new_run_directory(path, cfg.debug.keep_files) as run, run.locked():
        chosen = {"groups": dict(groups), "overrides": list(overrides), "tags": list(cfg.tags)}
        begin = {"status": "running", "process": this_process(), "started": now()}
        run.update_metadata(name=cfg.name, **begin, **chosen, init_from=prepared.initial, **environment())
        run.save_config(cfg)  # saved last: a run with a config can be resumed, and then its run.json must be complete
        return fit_run(cfg, run, prepared)


def _dry_run(cfg: DictConfig) -> None:
    """Build the networks and read the images, without downloading them.

    Raises:
        UserError: settings are wrong or incompatible, or the dataset is not on this machine.
    """
    try:
        with offline.offline():
            check_only(_with_steps(cfg))
    except offline.NotHere as error:
        raise UserError(
            f"{error} A dry run downloads nothing, so the images cannot be checked.\nWithout --dry-run, they are "
            f"downloaded to data.root={cfg.data.root}. If they are in another directory: data.root=DIRECTORY"
        ) from None
    say("dry run: the networks were built and the images were read. Nothing was trained or written.")


def _with_steps(cfg: DictConfig) -> DictConfig:
    """Return `cfg` with its epochs converted to steps for its dataset; warn if the weights are averaged too slowly.

    Raises:
        UserError: data are missing, or there are fewer images than a batch has.
    """
    schedule = cfg.schedule
    if schedule.epochs is not None or schedule.evaluate_every_epochs is not None:
        cfg = in_steps(cfg, len(build.build_image_set(cfg)))
    if (warning := average_warning(cfg)) and cfg.debug.keep_scores:  # without scores, the samples do not matter
        say_once(f"warning: {warning}")
    return cfg


@contextmanager
def new_run_directory(path: str, keep: bool) -> Iterator[RunDirectory]:
    """Create the run directory at `path`; if `keep` is false, create a temporary one, and remove it after the block."""
    if keep:
        yield RunDirectory.create_unique(path)
        return
    say("debug.keep_files=false: this run only shows that its settings work. Its files are removed when it ends.")
    try:
        with tempfile.TemporaryDirectory(prefix="ganexp-") as scratch:
            yield RunDirectory(Path(scratch))
    finally:
        remove_if_empty(path)  # Hydra has created this directory
    say("done: no run directory is left")


def fit_run(cfg: DictConfig, run: RunDirectory, prepared: Prepared) -> float | None:
    """Train in the locked directory `run`, from its latest checkpoint if it has one, and record the result."""
    gan, debug = prepared.gan, cfg.debug
    with requeued_if_preempted(), logged_to(run.log), recorded_status(run, debug.keep_files):
        if debug.keep_files:
            say(f"run directory: {short_path(run.path)}")
        if not debug.keep_scores:
            say("debug.keep_scores=false: run.json gets no scores, and best.ckpt is not saved")
        if cfg.sweep.prune and sweep_above(run.path) is None:
            say("sweep.prune=true has no effect: this run is not a job of a sweep, so it is compared with no other job")
        run.update_metadata(
            data=describe_content(prepared.image_sets),
            device=trainers.device_name(prepared.device),
            precision=cfg.trainer.precision,
            tf32=cfg.trainer.tf32 and prepared.device.type == "cuda",
        )
        if gan.scores:
            _describe_scores(run, gan, gan.scores, cfg.metrics.batch_size)
        with signals_delayed(processes.total(cfg.trainer)), connected(cfg, run):
            while _fit_and_record(cfg, run, prepared) == ROLLED_BACK:
                pass
        return run.metadata().get("objective") if debug.keep_files else None


def _fit_and_record(cfg: DictConfig, run: RunDirectory, prepared: Prepared) -> str:
    """Train from the latest checkpoint until the run ends, or must be rolled back; return its status."""
    remove_preemption_checkpoints(run)
    run.remove_unfinished_files()
    checkpoint, resume_step = latest_checkpoint(run)
    if checkpoint is not None:
        content = read_checkpoint(checkpoint)
        check_fits(content, prepared.gan, checkpoint, run.config)
        if must_roll_back(content):  # also if the run was killed before it was rolled back
            roll_back(run, content)
            checkpoint, resume_step = latest_checkpoint(run)
    with closing([MetricsFile(run, resume_step)]) as loggers:
        loggers += build.build_loggers(cfg, run, resume_step)
        record_settings(cfg, run, loggers)
        status = _fit(cfg, run, prepared, loggers, checkpoint)
        if cfg.debug.keep_files and status != ROLLED_BACK:
            if prepared.gan.stop_reason:
                run.update_metadata(stopped=prepared.gan.stop_reason)
            record_result(cfg, run, loggers, *_monitor(cfg, prepared.gan), status, prepared.gan.step)
    return status


def fit_with_others(cfg: DictConfig, run: RunDirectory, prepared: Prepared) -> None:
    """Train in a process whose rank is not 0, and which therefore writes no files."""
    while _fit(cfg, run, prepared, [], None) == ROLLED_BACK:
        pass


def _fit(
    cfg: DictConfig, run: RunDirectory, prepared: Prepared, loggers: Sequence[Logger], checkpoint: Path | None
) -> str:
    """Train from `checkpoint`; if it is None, first evaluate the untrained networks. Return the status of the run."""
    gan, data, device = prepared.gan, prepared.data, prepared.device
    checkpoint = processes.of_first(checkpoint)
    callbacks = trainers.of_this_process(build.build_callbacks(cfg, run, prepared.image_sets, gan.scores))
    prunes = cfg.sweep.prune and processes.rank() == 0
    monitor, mode = build_scores.best_score(cfg, gan.scores)
    pruning = [Pruning(run, monitor, mode)] if prunes and monitor else []
    time_limits = [TimeLimit(cfg.trainer.max_time)] if cfg.trainer.max_time else []
    kept = [KeptCheckpoints(run, cfg.schedule.keep_at)] if cfg.schedule.keep_at else []
    *best, last = trainers.checkpoint_callbacks(run, *_monitor(cfg, gan))
    arguments = trainers.lightning_arguments(cfg.trainer, run.path) | {"log_every_n_steps": gan.log_every}
    trainer = trainers.make_trainer(
        device,
        run.path,
        cfg.trainer.precision,
        callbacks=[
            *trainers.required_callbacks(),
            *callbacks,
            *pruning,
            *trainers.last_callbacks(),
            *best,
            *kept,
            last,
            *time_limits,
        ],
        loggers=loggers,
        arguments=arguments,
    )
    gan.accumulated.on_halved = lambda facts: run.update_metadata(out_of_memory={"step": gan.step} | dict(facts))
    with evaluation_share_shown(gan):
        if checkpoint is None:
            trainers.validate(gan, data, device, callbacks, loggers, arguments)
        trainers.fit(trainer, gan, data, checkpoint)
    return processes.of_first(_status(cfg, run, gan, [*callbacks, *pruning, *time_limits]))


def _status(cfg: DictConfig, run: RunDirectory, gan: GAN, callbacks: Sequence[Callback]) -> str:
    """Return how a training has ended."""
    if any(isinstance(callback, Guard) and callback.must_roll_back for callback in callbacks):
        return ROLLED_BACK
    if any(isinstance(callback, Pruning) and callback.stopped for callback in callbacks):
        return "pruned"
    is_over = any(isinstance(callback, TimeLimit) and callback.is_over for callback in callbacks)
    if is_over and not gan.is_done:
        say_once(f"stopped by trainer.max_time={cfg.trainer.max_time}. Resume with: {how_to_resume(run)}")
        return "interrupted"
    return "finished"


@contextmanager
def evaluation_share_shown(gan: GAN) -> Iterator[None]:
    """After the block, print what share of the time the evaluations took, including pictures and checkpoints."""
    started = time.monotonic()
    yield
    seconds = time.monotonic() - started
    say(f"evaluations took {1 - gan.clock.seconds_of_this_process() / seconds:.0%} of {clock_time(seconds)}")


def _monitor(cfg: DictConfig, gan: GAN) -> tuple[str | None, str]:
    """Return the score that chooses the best checkpoint, or None, and `max` if higher is better; otherwise `min`."""
    monitor, mode = build_scores.best_score(cfg, gan.scores)
    return monitor if cfg.debug.keep_scores else None, mode


def _describe_scores(run: RunDirectory, gan: GAN, scores: Scores, batch_size: int) -> None:
    """Print and record the feature extractor and the protocol of the scores."""
    extractor = scores.extractor
    for fact, value in extractor.facts.items():
        shown = f"{value:.2%}" if isinstance(value, float) else value
        say_once(f"{fact.replace('_', ' ')}: {shown}")
    say_once(f"feature extractor: {extractor.name} (input: {extractor.input})")
    warn_of_few_images(scores, only_samples=True)
    protocol = training_protocol(gan, batch_size)
    run.update_metadata(extractor=extractor.facts, protocol=protocol, score_info=scores.info())
