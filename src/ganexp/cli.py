"""Parse the command line and run its command.

train, evaluate, sample and describe are Hydra primary configs; resume, list and report parse their own arguments. Only
this module prints errors and exits. This module must not import torch, so that `ganexp --help` is fast.
"""

import json
import logging
import re
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import env_override
from hydra.errors import CompactHydraException, HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from ganexp import __version__
from ganexp.arguments import Command, UsageError, parse
from ganexp.commands.completion import complete
from ganexp.commands.description_text import print_description
from ganexp.commands.evaluation.arguments import adapt, reason_against_resolving
from ganexp.commands.help import command_help, general_help
from ganexp.commands.launching.together import together
from ganexp.commands.resume_arguments import parse_resume
from ganexp.commands.sweeps.overrides import added_overrides, resumed_overrides, task_overrides
from ganexp.commands.sweeps.search_value import value_for_sampler
from ganexp.commands.sweeps.settings import hand_settings_to_jobs
from ganexp.commands.sweeps.sweep import JobFailed, SweepStopped, closing_sweeps, run_job
from ganexp.commands.task_places import check_places, given_places, places
from ganexp.commands.tasks import TASKS, Task, chosen_groups, output_directory
from ganexp.config import schema, user_files
from ganexp.config.composition import CONF, VERSION_BASE, any_target_allowed
from ganexp.config.interpolations import explain_interpolation, with_sources
from ganexp.config.texts import check_choices, keep_texts, restore_texts, without_plus
from ganexp.console import CLOSED_OUTPUT, allow_any_encoding, flush_output, is_rank_zero, short_paths
from ganexp.errors import UserError, explain_unforeseen, wants_traceback
from ganexp.runs.environment import TYPED_COMMAND, forget_empty_places
from ganexp.runs.places import explain_place
from ganexp.runs.run_directory import remove_if_empty


def main() -> None:
    """Run the command in `sys.argv`; if it fails, print the reason and exit.

    The exit code is 2 for an invalid command line, 130 after Ctrl-C, 141 if the reader of the output has closed the
    pipe, and 1 for any other error.
    """
    allow_any_encoding()
    logging.raiseExceptions = False  # otherwise each line that is logged to a closed pipe prints a traceback
    forget_empty_places()
    is_read = True
    try:
        with env_override({TYPED_COMMAND: json.dumps(sys.argv[1:])}):
            _run(sys.argv[1:])
    except KeyboardInterrupt:
        if is_rank_zero():
            print("\nStopped.", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    finally:
        is_read = flush_output()
    if not is_read:
        sys.exit(CLOSED_OUTPUT)


def _run(argv: Sequence[str]) -> None:
    """Run the command in `argv`.

    Raises:
        SystemExit: the command has failed; the message gives the reason.
    """
    try:
        command = parse(argv)
        with together(command.name) as begun:
            command = command if begun is None else parse(["resume", str(begun)])
            HANDLERS.get(command.name, _run_own_module)(command)
    except UsageError as error:
        if is_rank_zero():
            print(error, file=sys.stderr)
        sys.exit(2)
    except (UserError, SweepStopped) as error:
        sys.exit(_with_short_paths(str(error), argv))
    except BrokenPipeError:  # the reader of the output, such as head, has read enough
        sys.exit(CLOSED_OUTPUT)
    except OSError as error:
        reason = explain_place(error, given_places(argv))
        if wants_traceback():
            raise
        sys.exit(_with_short_paths(reason, argv) if reason else explain_unforeseen(error))
    except Exception as error:  # an error of ganexp itself, or of the user's own code
        if wants_traceback():
            raise
        sys.exit(explain_unforeseen(error))


def _with_short_paths(message: str, argv: Sequence[str]) -> str:
    return short_paths(message, (argument.rpartition("=")[2].strip("'\"") for argument in argv))


def _run_hydra(command: Command) -> None:
    """Compose the config of the command, and run the command, or each job of a sweep.

    Raises:
        UserError: the config cannot be composed.
    """
    schema.register()
    user_files.refuse_extreme_files(_folders(command))
    user_files.refuse_hidden_files(_folders(command))
    command = replace(command, arguments=tuple(without_plus(command.arguments, _folders(command))))
    command = adapt(complete(_expand_resumed_sweep(command), _folders(command)))
    check_choices(command.arguments, _folders(command))
    kept = keep_texts(command.arguments, command.config_name, _folders(command))
    exact = replace(command, arguments=tuple(kept))
    try:
        with env_override({"HYDRA_FULL_ERROR": "1"}):  # lets Hydra raise errors instead of printing them
            _show_help_or_run(exact)
    except (HydraException, CompactHydraException, OmegaConfBaseException, yaml.YAMLError, ValueError) as error:
        if wants_traceback():
            raise
        raise UserError(_message(error, command)) from None
    except OSError:  # OmegaConf raises this error for a file without settings, for example
        if wants_traceback() or not (reason := user_files.explain_content(_folders(command))):
            raise
        raise UserError(reason) from None


def _show_help_or_run(command: Command) -> None:
    if command.wants_help:
        is_general = not command.is_named and not command.arguments
        print(general_help(_folders(command)) if is_general else command_help(command, _folders(command)))
        return
    with added_overrides(command) as added, closing_sweeps(), any_target_allowed():
        of_jobs = hand_settings_to_jobs(command, _folders(command))
        command = replace(command, arguments=(*of_jobs.arguments, *added))
        sys.argv[1:] = command.argv()  # Hydra reads sys.argv, and so do the processes of distributed training
        _run_config()


def _folders(command: Command) -> list[Path]:
    """Return the directories of config files: ganexp's own directory, and the one that --config-dir names."""
    return [CONF] if command.config_dir is None else [CONF, command.config_dir]


def _expand_resumed_sweep(command: Command) -> Command:
    """Return the full command of the sweep if sweep.resume=DIRECTORY is given; return other commands unchanged."""
    directories = [argument for argument in command.arguments if argument.startswith("sweep.resume=")]
    if not directories:
        return command
    given = [argument for argument in command.arguments if argument not in directories]
    overrides = resumed_overrides(directories[-1].partition("=")[2], given, _folders(command))
    return replace(command, is_sweep=True, arguments=tuple(overrides))


def _message(error: Exception, command: Command) -> str:
    """Return the message for the user about an error that Hydra raised.

    Raises:
        ValueError: `error` itself, if it does not come from Hydra.
    """
    if isinstance(error, JobFailed):
        return str(error)
    if str(error).startswith("No trials are completed"):  # an error of Optuna
        return (
            "When the jobs of the search first ended, none of them had a score that metrics.best_by can compare: see "
            "above how they ended.\nA resumed search keeps these results, whatever the jobs score now. To search with "
            "new scores, choose another hydra.sweep.dir."
        )
    if re.fullmatch(r"File .* does not exist!", str(error)):  # the file given with --experimental-rerun is missing
        return f"--experimental-rerun: {error}"
    from ganexp.config.hydra_messages import is_group_value_error
    from ganexp.config.suggestions import explain

    if isinstance(error, OmegaConfBaseException):
        return explain_interpolation(error, command.arguments) + reason_against_resolving(command)
    if isinstance(error, ValueError) and not isinstance(error, UnicodeError) and not is_group_value_error(error):
        raise error
    folders = _folders(command)
    explained = user_files.explain_encoding(folders) or user_files.explain_content(folders)
    if reason := explained or user_files.explain_package(error, folders):
        return reason
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem_mark.name}, line {error.problem_mark.line + 1}: {error.problem}"
    return explain(error, list(command.arguments), folders, str(command.config_name))


@hydra.main(**VERSION_BASE, config_path=str(CONF), config_name="train")
def _run_config(cfg: DictConfig) -> Any:
    """Run the task of the composed config, and return the result, if there is one, to Hydra.

    The result is what a search minimises (`train`), or a description (`describe`).
    """
    hydra_config = HydraConfig.get()
    if hydra_config.mode == RunMode.MULTIRUN:
        return _run_in_sweep(cfg, hydra_config)
    try:
        result = _start(cfg, hydra_config)
    except UserError as error:
        message = _with_short_paths(str(error), sys.argv)
        raise SystemExit(message) from None  # for an Exception, Hydra would print more than the message
    if hydra_config.job.config_name == "describe":
        print_description(result, cfg.json)
    return result


def _run_in_sweep(cfg: DictConfig, hydra_config: HydraConf) -> Any:
    """Run a job of a sweep so that its failure does not stop the other jobs."""
    command = hydra_config.job.config_name
    if command == "train":
        directory, overrides = hydra_config.runtime.output_dir, task_overrides(hydra_config)
        restore_texts(cfg, overrides)
        value = run_job(directory, cfg, overrides, lambda: _start(cfg, hydra_config))
        return value_for_sampler(directory, value) if "sampler" in hydra_config.sweeper else value
    try:
        return _start(cfg, hydra_config)
    except UserError as error:
        if command == "describe":
            return {"error": str(error)}
        raise JobFailed(str(error)) from None


def _start(cfg: DictConfig, hydra_config: HydraConf) -> Any:
    """Run the task; if a single run is refused, remove the directory that was created for it.

    Raises:
        UserError: the task was refused.
    """
    from ganexp.config.instantiate import UnknownArgument

    directory, groups = Path(hydra_config.runtime.output_dir), {}
    try:
        groups = chosen_groups(hydra_config)
        directory = output_directory(cfg, hydra_config)
        return _run_task(Task(cfg, groups, hydra_config, directory))
    except Exception as error:
        if hydra_config.mode == RunMode.RUN:  # a sweep keeps the directory, which has the reason for the failure
            remove_if_empty(directory)
        if isinstance(error, UnknownArgument):
            from ganexp.config.checks import suggestion_for_unknown_argument

            suggestion = suggestion_for_unknown_argument(error, groups)
            raise UserError(f"{error}\n{suggestion}".strip()) from None
        raise


def _run_task(task: Task) -> Any:
    """Run a task. If a path is missing or not writable, the error names the setting of this path.

    Raises:
        UserError: the task was refused, or a path is missing or not writable.
    """
    try:
        check_places(task)
        return TASKS[str(task.hydra_config.job.config_name)](task)
    except UserError as error:
        error.args = (with_sources(str(error), task.cfg),)
        raise
    except OSError as error:
        reason = explain_place(error, places(task))
        if not reason:
            raise
        raise UserError(reason) from error


def _resume(command: Command) -> None:
    arguments = parse_resume(command.arguments)
    if arguments.sweep is not None:
        _run_hydra(parse(arguments.sweep))
        return
    from ganexp.commands.resume import resume

    resume(arguments)


def _run_own_module(command: Command) -> None:
    """Run a command that has no config: call `main` in the module of the same name; `main` parses the arguments."""
    import_module(f"ganexp.commands.{command.name}").main(command.arguments)


def _print_version(command: Command) -> None:
    print(f"ganexp {__version__}")


HANDLERS: dict[str, Callable[[Command], None]] = {
    "train": _run_hydra,
    "evaluate": _run_hydra,
    "sample": _run_hydra,
    "describe": _run_hydra,
    "resume": _resume,
    "--version": _print_version,
}
