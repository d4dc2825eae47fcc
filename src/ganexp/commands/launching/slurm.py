"""If SLURM has preempted a job that trains on several devices, put this job into SLURM's queue again.

If a job trains on one device, Lightning puts it into the queue again; for the jobs of a sweep, submitit does so.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from ganexp.console import say


@contextmanager
def requeued_if_preempted() -> Iterator[None]:
    """Put the job of this process into SLURM's queue again if the signal of a preemption ends the block.

    The job is put into the queue after everything else is done, because SLURM may then end the job's processes at once.
    """
    try:
        yield
    except SystemExit as stop:
        if hasattr(signal, "SIGUSR1") and stop.code == 128 + signal.SIGUSR1:
            _requeue()
        raise


def _requeue() -> None:
    job = os.environ["SLURM_JOB_ID"]
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    command = ["scontrol", "requeue", job]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        failure = done.stderr.strip() if done.returncode else None
    except OSError as error:
        failure = str(error)
    say(f"{' '.join(command)}: {failure or 'SLURM will start the job again'}")
