"""Return a run to an earlier checkpoint, and continue it with other random numbers."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganexp.checkpoint import AtomicCheckpointIO, read_checkpoint
from ganexp.console import say
from ganexp.random_numbers import random_state, separate_random_numbers
from ganexp.runs.atomic import replacing
from ganexp.runs.run_directory import RunDirectory

GOOD, GOOD_BEST = "good.ckpt", "good-best.ckpt"  # copies of last.ckpt and best.ckpt to return to
RANDOM_STATE, GUARD = "RandomState", "Guard"  # the keys of these callbacks in a checkpoint


def keep_as_good(run: RunDirectory) -> None:
    """Copy last.ckpt, and the best.ckpt that belongs to it, so that the run can return to these copies."""
    _copy(run.last, run.last.with_name(GOOD))
    if run.best.exists():
        _copy(run.best, run.best.with_name(GOOD_BEST))


def has_good(run: RunDirectory) -> bool:
    """Return whether there is a checkpoint to return to."""
    return run.last.with_name(GOOD).exists()


def must_roll_back(checkpoint: Mapping[str, Any]) -> bool:
    """Return whether the guard has decided at this checkpoint that the run returns to an earlier one."""
    return bool(checkpoint["callbacks"].get(GUARD, {}).get("must_roll_back"))


def roll_back(run: RunDirectory, failed: Mapping[str, Any]) -> None:
    """Replace last.ckpt by the good checkpoint, with other random numbers; record the rollback in run.json.

    Then a run that continues from last.ckpt repeats the steps after the good checkpoint, with the same real images and
    with other latents. The best.ckpt that belongs to the good checkpoint is restored, too. last.ckpt is replaced at the
    end, so that a rollback that was interrupted can be repeated with the same result.

    Args:
        run: the run directory.
        failed: content of the checkpoint at which the guard has decided to roll back.
    """
    good = read_checkpoint(run.last.with_name(GOOD))
    step, earlier = good["ganexp"]["step"], failed["callbacks"][GUARD]["rollbacks"]
    known = list(run.metadata().get("rollbacks") or [])[:earlier]
    run.update_metadata(rollbacks=[*known, {"from": failed["ganexp"]["step"], "to": step}])
    best = run.best.with_name(GOOD_BEST)
    if best.exists():
        _copy(best, run.best)
    else:
        run.best.unlink(missing_ok=True)
    number = earlier + 1
    good["callbacks"][GUARD]["rollbacks"] = number
    good["callbacks"][RANDOM_STATE] = _other_state(good["callbacks"][RANDOM_STATE], step, number)
    AtomicCheckpointIO(run.path).save_checkpoint(good, run.last)
    say(f"rollback {number}: the run continues from step {step:,} with other random numbers")


def _copy(source: Path, target: Path) -> None:
    """Replace `target` by a hard link to `source`, or by a copy.

    A link is safe, because a checkpoint is never changed in place: a new checkpoint is a new file.
    """
    with replacing(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:  # a file system without hard links
            shutil.copyfile(source, temporary)


def _other_state(state: dict[str, Any], step: int, number: int) -> dict[str, Any]:
    """Return a random state that depends on `state`, on the step and on the number of the rollback."""
    drawn = torch.Generator()
    drawn.set_state(state["cpu"])
    own = int(torch.randint(2**62, (1,), generator=drawn))
    seed = int(np.random.SeedSequence([own, step, number]).generate_state(1, np.uint64)[0] >> np.uint64(1))
    device = torch.device("cuda" if "cuda" in state else "cpu")
    with separate_random_numbers(seed, device):
        return random_state(device)
