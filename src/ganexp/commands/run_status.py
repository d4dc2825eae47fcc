"""Record in run.json how a run ends, and print what a user should know when the run is resumed."""

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ganexp.commands.sweeps.job import how_to_resume
from ganexp.console import say
from ganexp.errors import UserError
from ganexp.runs.environment import now
from ganexp.runs.places import FULL
from ganexp.runs.process import DIED, current_status
from ganexp.runs.run_directory import RunDirectory


@contextmanager
def recorded_status(run: RunDirectory, can_be_resumed: bool = True) -> Iterator[None]:
    """If the run fails or is interrupted within the block, record this in run.json."""
    try:
        yield
    except UserError as error:
        _record_end(run, "failed", str(error))
        raise
    except (KeyboardInterrupt, SystemExit) as stop:
        _record_end(run, "interrupted")
        say(f"\nStopped. Resume with: {how_to_resume(run)}" if can_be_resumed else "\nStopped.")
        code = stop.code if isinstance(stop, SystemExit) else 128 + signal.SIGINT
        raise SystemExit(code) from None
    except BaseException as error:
        _record_end(run, "failed", f"{type(error).__name__}: {error}")
        if isinstance(error, OSError) and error.errno in FULL and can_be_resumed:
            error.filename = error.filename or str(run.path)  # an error while a log is written has no file name
            say(f"\nStopped: no space is left. When there is space: {how_to_resume(run)}")
        raise


def _record_end(run: RunDirectory, status: str, error: str | None = None) -> None:
    """Record the end of a run. If the disk is full, run.json keeps the status `running`, later shown as `died`."""
    try:
        run.update_metadata(status=status, ended=now(), **({} if error is None else {"error": error}))
    except OSError as reason:
        say(f"run.json cannot be updated: {reason.strerror}")


def say_how_it_ended(metadata: Mapping[str, Any]) -> None:
    """Print that a run died, if its process is gone without having recorded an end."""
    if current_status(metadata) == DIED:
        say("the run died: its process is gone and recorded no end. It was killed, or the machine stopped")


def say_if_bits_may_differ(metadata: Mapping[str, Any], device: str) -> None:
    """Print that a resumed run may differ from an undisturbed one, if the run continues on another device.

    Args:
        metadata: content of run.json before the run is resumed.
        device: name of the device on which the run continues. The name of a CPU includes the number of threads.
    """
    before = metadata.get("device")
    if isinstance(before, str) and before != device:
        say(
            f"the run was trained with another device or number of threads ({before}; now {device}): sums are computed "
            "in another order, so the last bits of the results may differ from those of an undisturbed run"
        )
