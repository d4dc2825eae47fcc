"""Find, download and read the weights of networks. Files cannot run code, because only tensors are read."""

import hashlib
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch.hub import HASH_REGEX, load_state_dict_from_url

from ganexp import offline
from ganexp.errors import UserError


def find_weights(weights: str | None, url: str) -> Path:
    """Return the path of a file with the weights of an Inception network.

    Args:
        weights: path of the file. None uses the file in torch's hub cache; if it is missing, it is downloaded.
        url: address of the file. If the file name ends with the first digits of a SHA-256, as the names of torch.hub's
            files do, the hash of the cached file must begin with these digits.

    Raises:
        UserError: the file does not exist, cannot be downloaded, is not the published file, or does not have the
            weights of an Inception network.
    """
    default = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[1]
    advice = (
        f"Get {url}\nand put it at {default}, or add metrics.weights=FILE, where FILE is the weights file.\n"
        "Or use other scores: metrics=imagenet uses weights that are installed with ganexp[imagenet], and its scores "
        "cannot be compared with those of Inception; metrics=classifier trains a classifier on the dataset. With "
        "metrics=none, no scores are computed."
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
    except RuntimeError as error:  # the file has another hash, and torch.hub has deleted it
        raise UserError(f"The file downloaded from {url} is not the published file: {error}.\n{advice}") from None


def _check_hash(path: Path) -> None:
    """Raise a UserError if the file name ends with digits of a SHA-256, but the hash of the file has other digits."""
    match = HASH_REGEX.search(path.name)
    expected = match.group(1) if match else ""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if not digest.startswith(expected):
        raise UserError(
            f"{path} is not the published file: its SHA-256 is {digest}, and should start with {expected}.\n"
            "Delete it to download it again, or use another file with metrics.weights=FILE"
        )


def _check_contents(path: Path, advice: str) -> None:
    try:
        state = _read(path)
    except Exception as error:  # the type of the error depends on the damage
        raise UserError(f"{path} does not hold Inception weights ({type(error).__name__}).\n{advice}") from None
    if not isinstance(state, dict) or "fc.weight" not in state:
        raise UserError(f"{path} does not hold Inception weights.\n{advice}")


def read_tensors(path: Path) -> dict[str, Any]:
    """Return the dictionary of tensors in a file of torch, or in a .safetensors file.

    Raises:
        UserError: the file holds something else.
    """
    try:
        state = _read(path)
    except Exception as error:  # the type of the error depends on the damage
        raise UserError(f"{path} does not hold weights ({type(error).__name__})") from None
    if not isinstance(state, dict):
        raise UserError(f"{path} has a {type(state).__name__} instead of weights")
    return state


def _read(path: Path) -> Any:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)
