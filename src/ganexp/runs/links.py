"""Refuse run directories with links to files elsewhere. This module must not import torch."""

import os
import stat
from pathlib import Path

from ganexp.errors import UserError

LOG_OF_WANDB = "wandb/*/logs/debug-core.log"  # W&B's link to its own log; ganexp neither reads nor writes it


def refuse_links(path: str | Path) -> None:
    """Check that a run directory holds only regular files, directories, and links that do not lead out of it.

    A directory from a stranger could hold a link to one of the user's files, which ganexp would read or overwrite, or
    a named pipe, on which ganexp would wait for ever.

    Raises:
        UserError: an entry is a link that leads out of the directory, or is neither a link, nor a regular file, nor a
            directory.
    """
    root = Path(path).resolve()
    for parent, directories, files in os.walk(root):
        for name in directories + files:
            entry = Path(parent, name)
            mode = entry.lstat().st_mode
            if stat.S_ISLNK(mode) and not entry.resolve().is_relative_to(root) and not entry.match(LOG_OF_WANDB):
                raise UserError(
                    f"{entry} is a link to {os.readlink(entry)}, outside of the run directory. ganexp neither reads "
                    "nor writes through such a link: replace the link by what it points to."
                )
            if not (stat.S_ISLNK(mode) or stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise UserError(f"{entry} is not a regular file, and ganexp reads only regular files. Remove it.")
