"""Run a command in the first (rank 0) of the processes that a launcher has started.

This module must not import torch at import time.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganexp.commands.launching.launched import launched
from ganexp.console import say

TRAININGS = ("train", "resume")  # commands that several processes can run together


@contextmanager
def together(command: str) -> Iterator[Path | None]:
    """Run the block in the first of several processes; the others take part in the training, and then exit.

    If there is no launcher, or the command is not in `TRAININGS`, the block runs as usual. If torchrun has restarted
    the processes of `ganexp train` after a failure, the block gets the directory of the run that they have begun, and
    must resume this run.

    Raises:
        UserError: the launcher's environment variables are wrong, or the processes cannot meet.
        SystemExit: this process is not the first one, and its part of the training has ended.
    """
    launch = launched() if command in TRAININGS else None
    if launch is None or (launch.size == 1 and not launch.has_store):
        yield None
        return
    if not launch.is_first:
        from ganexp.commands.launching.worker import take_part  # only now, because it imports torch

        sys.exit(take_part(launch))
    from ganexp.commands.launching.meeting import opened

    with opened(launch) as meeting:
        begun = meeting.begun_run() if command == "train" else None
        if begun is not None:
            say(f"{launch.by} has restarted the processes: they resume the run that they have begun")
        yield begun
