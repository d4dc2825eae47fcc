"""Run `ganexp resume`: continue a stopped run, or train a finished run longer."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from torch import nn

from ganexp import build
from ganexp.checkpoint import forget_stop, latest_checkpoint
from ganexp.commands.data_identity import accept_changes, changes, describe_content, refuse_changes
from ganexp.commands.prepare import Prepared, prepare
from ganexp.commands.result import NO_RESULT
from ganexp.commands.resume_arguments import ResumeArguments
from ganexp.commands.run_status import say_how_it_ended, say_if_bits_may_differ
from ganexp.commands.score_identity import protocol_changes, refuse_other_scores, training_protocol
from ganexp.commands.train import fit_run
from ganexp.config import trust
from ganexp.config.annotations import MAX_INT
from ganexp.config.paths import absolute, relocate_data
from ganexp.console import count, say, shell_path
from ganexp.errors import UserError
from ganexp.report.values import plain
from ganexp.runs.atomic import replacing
from ganexp.runs.environment import now
from ganexp.runs.links import refuse_links
from ganexp.runs.process import this_process
from ganexp.runs.run_directory import RunDirectory, newest_run_below
from ganexp.training.length import in_steps
from ganexp.training.trainer import device_name


def resume(arguments: ResumeArguments) -> None:
    """Continue a run from its last checkpoint, or from the start if it has no checkpoint yet.

    A finished or pruned run is continued only if a number of steps or epochs is given.

    Args:
        arguments: the run directory, and the settings to change.

    Raises:
        UserError: the directory is not a run or has links to other places, another process is training the run, its
            config is not trusted, its images or the protocol of its scores have changed, its length cannot be changed,
            or `prepare` fails.
    """
    path, is_longer = arguments.path, (arguments.steps, arguments.epochs) != (None, None)
    run = RunDirectory(path)
    if missing := [file.name for file in (run.config, run.metadata_file) if not file.exists()]:
        hint = newest_run_below(path, or_sweep=True)
        raise UserError(f"{path} is not a run directory: it has no {' and no '.join(missing)}.{hint}")
    refuse_links(run.path)
    with run.locked():
        metadata = run.metadata()
        status = metadata.get("status")
        if status in ("finished", "pruned") and not is_longer:
            train_on = "train longer" if status == "finished" else "train it anyway"
            reason = f" ({plain(metadata['stopped'])})" if metadata.get("stopped") else ""
            how = f"To {train_on}: ganexp resume {shell_path(path)} schedule.steps=…"
            say(f"{path} is {status}{reason}: nothing to do. {how}")
            return
        say_how_it_ended(metadata)
        cfg = relocate_data(trust.load(run.config), _absolute(arguments.data_root), _absolute(arguments.data_path))
        if is_longer:
            lengthen(cfg, _steps_of(cfg, arguments.epochs) if arguments.steps is None else arguments.steps)
        checkpoint, step = latest_checkpoint(run)
        if checkpoint is not None and checkpoint != run.last:
            say(f"{run.last.name} is damaged: using {checkpoint.name}")
        say(f"resuming from step {step:,}")
        prepared = prepare(cfg, resumed=checkpoint is not None)
        if checkpoint is not None:
            say_if_bits_may_differ(metadata, device_name(prepared.device))
        _check_changes(cfg, run, prepared, (checkpoint, step), arguments)
        if is_longer:
            forget_stop(run)
        resumed = [*metadata.get("resumed", []), now()]
        now_running = {"status": "running", "error": None, "stopped": None, "process": this_process()}
        run.update_metadata(**now_running, resumed=resumed, **NO_RESULT)
        run.save_config(cfg)
        fit_run(cfg, run, prepared)


def _check_changes(
    cfg: DictConfig,
    run: RunDirectory,
    prepared: Prepared,
    resumed_from: tuple[Path | None, int],
    arguments: ResumeArguments,
) -> None:
    """Check that the images, and the protocol of the scores, are those of the run; let accepted changes take effect.

    Args:
        cfg: the resolved config.
        run: the run directory.
        prepared: the parts of the training.
        resumed_from: the checkpoint from which the run continues, or None, and its step.
        arguments: the arguments of the command.

    Raises:
        UserError: there is a change, and data.changed=accept is not given.
    """
    metadata, (checkpoint, step) = run.metadata(), resumed_from
    content, protocol = describe_content(prepared.image_sets), training_protocol(prepared.gan, cfg.metrics.batch_size)
    of_images = changes(metadata.get("data"), content)
    # without a checkpoint, the run has no scores to which it would add others
    of_scores = protocol_changes(metadata.get("protocol"), protocol) if checkpoint is not None else []
    if not of_images and not of_scores:
        return
    if not arguments.data_changed:
        command = f"ganexp resume {shell_path(arguments.path)}"
        if of_images:
            refuse_changes(of_images, command)
        refuse_other_scores(of_scores, command, cfg.metrics.cache)
    if checkpoint not in (None, run.last):  # the change is applied to last.ckpt
        with replacing(run.last) as temporary:
            shutil.copyfile(checkpoint, temporary)
    accept_changes(run, step, of_images or of_scores, content, protocol)


def _absolute(path: str | None) -> str | None:
    return None if path is None else absolute(path)


def _steps_of(cfg: DictConfig, epochs: int | None) -> int:
    """Return the number of steps that a run has in `epochs` epochs.

    Raises:
        UserError: the run ends after a number of discriminator updates, the number of steps depends on the losses, or
            the images cannot be read.
    """
    _refuse_fixed_updates(cfg, f"schedule.epochs={epochs}")
    longer = cfg.copy()
    longer.schedule.epochs = epochs
    longer = in_steps(longer, len(build.build_image_sets(cfg)["train"]))
    if longer.schedule.max_d_steps is not None:
        raise UserError(
            f"schedule.epochs={epochs}: the number of batches in a step of this run depends on the losses. Give "
            "schedule.steps=N"
        )
    say(f"schedule.epochs={epochs} means schedule.steps={longer.schedule.steps} for this run")
    return int(longer.schedule.steps)


def _refuse_fixed_updates(cfg: DictConfig, given: str) -> None:
    """Refuse the new length `given` for a run that ends after a number of discriminator updates.

    Raises:
        UserError: the run is such a run.
    """
    if (updates := cfg.schedule.max_d_steps) is not None:
        raise UserError(
            f"{given}: this run ends after schedule.max_d_steps={updates} discriminator updates, and this number "
            "cannot be changed. Train a new run with more updates."
        )


def lengthen(cfg: DictConfig, steps: int) -> None:
    """Set the length of a run to `steps`.

    Raises:
        UserError: the run ends after a number of discriminator updates, its training depends on its length, or `steps`
            is less than before or too large.
    """
    schedule = cfg.schedule
    if steps > MAX_INT:
        raise UserError(f"schedule.steps={steps}: must be at most {MAX_INT:,}")
    _refuse_fixed_updates(cfg, f"schedule.steps={steps}")
    if steps < schedule.steps:
        raise UserError(
            f"schedule.steps={steps}: this run is set to {count(schedule.steps, 'step')} already. "
            "Give a larger number, or leave schedule.steps out to continue"
        )
    if steps > schedule.steps and (keys := _dependent_on_length(cfg)):
        raise UserError(
            f"schedule.steps={steps}: this run has a fixed length of {count(schedule.steps, 'step')}, on which these "
            f"settings depend: {', '.join(keys)}. Train a new run with schedule.steps={steps}"
        )
    schedule.steps, schedule.epochs = steps, None
    cfg.sweep.prune = False  # the user wants this run, even if other jobs have better scores


def _dependent_on_length(cfg: DictConfig) -> list[str]:
    """Return the config keys of all parts of a run that change with its progress, such as a decaying learning rate."""
    gan = build.build_gan(cfg)
    objective = gan.objective
    augmentations = [str(name) for name, node in cfg.augment.items() if node is not None]
    groups: dict[str, Mapping[str, Any]] = {
        "model": {"generator": gan.generator, "discriminator": gan.discriminator},
        "model.auxiliary": {name: gan.networks[name] for name in gan.further_networks},
        "loss": {"adversarial": objective.adversarial, "constraint": objective.constraint},
        "loss.penalties": objective.penalties,
        "loss.auxiliary": objective.auxiliary,
        "loss.modifiers": objective.modifiers,
        "augment": dict(zip(augmentations, objective.augmentations, strict=True)),
    }
    parts = {f"{group}.{name}": part for group, named in groups.items() for name, part in named.items()}
    keys = [key for key, part in parts.items() if isinstance(part, nn.Module) and _uses_progress(part)]
    return keys if gan.lr_decay is None else ["schedule.lr_decay", *keys]


def _uses_progress(part: nn.Module) -> bool:
    return any(hasattr(each, "set_progress") and getattr(each, "uses_progress", True) for each in part.modules())
