"""Record which process trains a run, and find out later whether it still exists. This module must not import torch."""

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ENDED = ("Z", "X")  # states of a process that has ended, but whose parent has not yet noticed the end
DIED = "died"


def this_process() -> dict[str, Any]:
    """Return what identifies this process, in the format of run.json: process id, start time, and values of `_machine`.

    The id of an ended process may be given to a new process, also after a restart of the machine. Therefore the start
    time of the process and the id of the machine's last start are recorded, too, if the operating system provides them.
    """
    pid = os.getpid()
    return {"pid": pid, "started": _start_and_state(pid)[0], **_machine()}


def has_ended(process: Mapping[str, Any]) -> bool:
    """Return whether a process has certainly ended; false if this cannot be known from this process.

    Args:
        process: what `this_process` returned in that process. It is read from a file that may come from a stranger, so
            its values may have any types.
    """
    pid = process.get("pid")
    here = _machine()
    if type(pid) is not int or pid <= 0 or process.get("host") != here["host"]:
        return False
    if process.get("boot") != here["boot"]:
        return True  # the machine has started again since then
    if process.get("namespace") != here["namespace"]:
        return False  # a process of another container, which cannot be seen from here
    if here["boot"] is None:
        return not _exists(pid)
    started, state = _start_and_state(pid)
    return started != process.get("started") or state in ENDED


def current_status(metadata: Mapping[str, Any]) -> str | None:
    """Return the status in the content of run.json; `died` if the status is `running` but the process has ended."""
    status, process = metadata.get("status"), metadata.get("process")
    return DIED if status == "running" and isinstance(process, Mapping) and has_ended(process) else status


def _machine() -> dict[str, Any]:
    """Return the name of this machine, the id of its last start, and the id of its container's process namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return {"host": platform.node(), "boot": boot, "namespace": os.readlink("/proc/self/ns/pid")}
    except OSError:  # not on Linux
        return {"host": platform.node(), "boot": None, "namespace": None}


def _start_and_state(pid: int) -> tuple[int | None, str]:
    """Return the start time and the state of a process; None and "X" if they are unknown.

    The start time is in clock ticks since the start of the machine.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
        fields = text.rpartition(")")[2].split()  # the name of the program, in parentheses, may have spaces
        return int(fields[19]), fields[0]
    except (OSError, ValueError, IndexError):
        return None, "X"


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # a process of another user
    return True
