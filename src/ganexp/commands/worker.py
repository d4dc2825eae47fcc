"""Train in a process that is not the first of several. `connection.py` starts it with `python -m`.

The first process writes all files. It sends the config to the others, so that they need no command line of their own.
"""

import os
import sys
import threading
import traceback
from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig

from ganexp.commands.prepare import prepare
from ganexp.commands.train import fit_with_others
from ganexp.errors import UserError
from ganexp.runs.run_directory import RunDirectory
from ganexp.training import processes
from ganexp.training.processes import Group

ERROR = 1  # the exit code of a process that failed


def work(group: Group) -> None:
    """Train in a process that is not the first, with the config of the first.

    Raises:
        UserError: the run diverged; the first process says so, too.
        SystemExit: a signal has stopped the training.
    """
    processes.join(group)
    cfg, path = processes.of_first((DictConfig({}), ""))
    run = RunDirectory(Path(path))
    prepared = prepare(cfg, resumed=run.last.exists())
    own = np.random.SeedSequence([cfg.seed, group.rank]).generate_state(1, np.uint64)[0] >> np.uint64(1)
    torch.manual_seed(int(own))  # latents of its own, with the same initial weights
    fit_with_others(cfg, run, prepared)


def _end_with_first() -> None:
    """End this process when the first one has ended, which closes the pipe."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(ERROR)


def main() -> int:
    """Train in a process that the first one has started, and return the exit code."""
    threading.Thread(target=_end_with_first, daemon=True).start()
    try:
        work(Group(*map(int, sys.argv[1:])))
    except UserError:
        return ERROR  # the first process has met the same error
    except Exception:
        traceback.print_exc()
        return ERROR
    finally:
        processes.leave()
    return 0


if __name__ == "__main__":
    sys.exit(main())
