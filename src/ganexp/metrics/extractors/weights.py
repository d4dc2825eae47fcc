"""Find or download the weights of Inception networks. Files are read as tensors only, so that they cannot run code."""

import hashlib
from pathlib import Path
from urllib.error import URLError

import torch
from torch.hub import HASH_REGEX, load_state_dict_from_url

from ganexp import offline
from ganexp.errors import UserError


def find_weights(weights: str | None, url: str) -> Path:
    """Return a file with the weights of an Inception network.

    Args:
        weights: path of the file. None looks in torch's hub cache, and downloads the file to it if it is not there.
        url: where the file can be downloaded. If its name ends with the start of a SHA-256, as torch.hub's files do,
            the file in the cache must have it.

    Raises:
        UserError: the file does not exist, cannot be downloaded, is not the published one, or does not hold the weights
            of an Inception network.
    """
    default = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[1]
    advice = (
        f"Get {url}\nand put it at {default}, or name the file: metrics.weights=FILE\n"
        "Or score with a classifier trained on the dataset (metrics=classifier), or not at all (metrics=none)."
    )
    path = Path(weights).expanduser() if weights else default
    if weights and not path.is_file():
        raise UserError(f"metrics.weights={weights}: no such file.\n{advice}")
    if not weights:
        if not path.is_file():
            _download(url, advice)
        _check_hash(path)
    _check_contents(path, advice)
    return path


def _download(url: str, advice: str) -> None:
    offline.check(url)
    try:
        load_state_dict_from_url(url, progress=True, check_hash=True, weights_only=True)
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise UserError(
            f"The Inception weights are not on this machine, and downloading them failed ({reason}).\n{advice}"
        ) from None
    except RuntimeError as error:  # torch.hub has deleted the file
        raise UserError(f"What was downloaded from {url} is not the published file: {error}.\n{advice}") from None


def _check_hash(path: Path) -> None:
    """Raise UserError unless the SHA-256 of a file starts with the digits that its name ends with, if it has any."""
    match = HASH_REGEX.search(path.name)
    expected = match.group(1) if match else ""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if not digest.startswith(expected):
        raise UserError(
            f"{path} is not the published file: its SHA-256 is {digest}, and should start with {expected}.\n"
            "Delete it to download it again, or name another file: metrics.weights=FILE"
        )


def _check_contents(path: Path, advice: str) -> None:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds, depending on the damage
        raise UserError(f"{path} does not hold Inception weights ({type(error).__name__}).\n{advice}") from None
    if not isinstance(state, dict) or "fc.weight" not in state:
        raise UserError(f"{path} does not hold Inception weights.\n{advice}")
