"""Train in a process other than the first (rank 0). A launcher or `connection.py` has started this process.

The first process writes all files. It sends the config to the other processes, which therefore need no command line.
"""

import os
import sys
import threading
import traceback
from pathlib import Path

import numpy as np
import torch

from ganexp.callbacks.shared_stop import signals_delayed
from ganexp.commands.launching.connection import Processes, broken_connection, others_of_machine
from ganexp.commands.launching.launched import Launch
from ganexp.commands.launching.meeting import Meeting, SharedRun, meet
from ganexp.commands.prepare import prepare
from ganexp.commands.train import fit_with_others
from ganexp.errors import UserError
from ganexp.runs.run_directory import RunDirectory
from ganexp.training import processes
from ganexp.training.processes import Group

ERROR = 1  # the exit code of a process that failed


def take_part(launch: Launch) -> int:
    """Wait for the run that the first process hands out, train it together with that process, and return the exit code.

    Raises:
        UserError: the processes do not meet in time.
        SystemExit: a signal has stopped the training.
    """
    meeting = meet(launch)
    try:
        run = meeting.run()
    except RuntimeError:
        return ERROR  # the first process was killed
    if isinstance(run, int):
        return run
    try:
        _work(run, meeting, launch)
    except UserError as error:
        meeting.report(str(error))  # the first process prints this, unless it fails itself
        return ERROR
    except Exception as error:
        if isinstance(error, RuntimeError) and (reason := broken_connection(error)):
            print(
                f"process {os.environ['RANK']}: another process of this training has ended: {reason}", file=sys.stderr
            )
            return ERROR
        meeting.report(f"{type(error).__name__}: {error}")
        traceback.print_exc()
        return ERROR
    finally:
        processes.leave()
    return 0


def _work(shared: SharedRun, meeting: Meeting, launch: Launch) -> None:
    """Train with the config of the first process.

    Raises:
        UserError: the number of this machine is too large, another process of this machine has ended, a part of the
            training cannot be built, or the run diverged.
        SystemExit: a signal has stopped the training.
    """
    cfg, run = shared.cfg, RunDirectory(Path(shared.path))
    devices = cfg.trainer.devices
    group = Group(launch.rank_among(devices), processes.total(cfg.trainer), devices)
    if group.rank >= group.size:
        last = cfg.trainer.num_nodes - 1
        raise UserError(f"{launch.by}: with trainer.num_nodes={last + 1}, machines have the numbers 0 to {last}")
    os.environ["RANK"] = str(group.rank)  # `say` prints nothing if RANK is above 0
    with signals_delayed(group.size), others_of_machine(launch, group) as others:
        meeting.wait_until_complete(lambda: _check_running(others, launch))
        processes.join(group, meeting.store)
        prepared = prepare(cfg, resumed=run.last.exists())
        own = np.random.SeedSequence([cfg.seed, group.rank]).generate_state(1, np.uint64)[0] >> np.uint64(1)
        torch.manual_seed(int(own))  # the latents differ between processes; the initial weights were drawn before
        fit_with_others(cfg, run, prepared)


def _check_running(others: Processes, launch: Launch) -> None:
    """Check that all processes that this process has started are still running.

    Raises:
        UserError: one of these processes has ended.
    """
    codes = [other.returncode for other in others if other.poll() is not None]
    if codes:
        raise UserError(f"On the machine with {launch.by}, a process ended at its start, with exit code {codes[0]}")


def _end_with_parent() -> None:
    """End this process when its standard input closes, because the parent process has then ended."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(ERROR)


def main() -> int:
    """Train in a process that the first process of this machine has started, and return the exit code."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    rank, local_rank, address, port = sys.argv[1:]
    return take_part(Launch("ganexp", int(rank), None, int(local_rank), address, int(port)))


if __name__ == "__main__":
    sys.exit(main())
