"""Extractors turn images into what scores are made of: features for FID and class logits for IS.

An extractor is called with images uint8 (N, C, H, W) and returns (features (N, d), logits (N, classes)), in fp32. It
has a `name`, which every score carries; an `identity`, a hash of its weights, by which cached statistics are found;
`input`, what it makes of the images first; and `facts`, what else a reader of its scores should know. One whose classes
are the set's own says `knows_labels`. A module that has none of these is taken as it is: see `ModuleExtractor`.
"""

import hashlib
import inspect
import logging
import os
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from rich.progress import track
from torch import Tensor, nn
from torch.hub import load_state_dict_from_url
from torch.nn.functional import cross_entropy, interpolate
from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3, FeatureExtractorInceptionV3
from torchvision.models import Inception_V3_Weights, inception_v3

from ganexp import offline
from ganexp.errors import UserError

log = logging.getLogger(__name__)


class ClassifierExtractor(nn.Module):
    """A small classifier trained on the set itself, for sets that Inception says little about.

    Args:
        network: images in [-1, 1] -> (features, logits).
        weights: its state dict; `accuracy` on held-out images in [0, 1].
    """

    name = "classifier"
    input = "as it is, 8 bits a channel"
    knows_labels = True

    def __init__(self, network: nn.Module, accuracy: float) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        self.feature_dim = network.feature_dim
        self.identity = _hash_weights(network.state_dict())
        self.facts = {"classifier_test_accuracy": accuracy}

    @torch.no_grad()
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.network(images.float().div(127.5).sub(1))


class InceptionExtractor(nn.Module):
    """torch-fidelity's Inception-v3, the network of the literature's IS and FID; grey is repeated to three channels.

    Args:
        weights: path of `weights-inception-2015-12-05-6726825d.pth`; None looks in torch's hub cache, then downloads.

    Raises:
        UserError: no weights there and none to be had, or a file that does not hold them.
    """

    name = "inception"
    input = "8 bits a channel, grey repeated to three channels; 299x299, bilinear as in TensorFlow 1, no antialiasing"
    feature_dim = 2048

    def __init__(self, weights: str | None = None) -> None:
        super().__init__()
        path = _inception_weights(weights, URL_INCEPTION_V3)
        try:
            self.network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048", "logits_unbiased"], str(path))
        except RuntimeError as error:
            raise UserError(f"{path} does not fit torch-fidelity's Inception-v3: {str(error)[:200]}") from None
        self.network.to(memory_format=torch.channels_last)  # a third less time
        self.identity, self.facts = hashlib.sha256(path.read_bytes()).hexdigest(), {}

    @torch.no_grad()
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(images.device.type, enabled=False):
            return self.network(_in_colour(images))


class TorchvisionInceptionExtractor(nn.Module):
    """torchvision's Inception-v3 as the SAGAN and SNGAN articles feed it, comparable with their IS alone.

    Normalised by ImageNet's mean and deviation, where its weights expect [-1, 1]; enlarged to 299 with aligned corners.
    Two differences stay: images are rounded to 8 bits, and labels go round the classes instead of being drawn.

    Args:
        weights: path of `inception_v3_google-0cc3c7bd.pth`; None looks in torch's hub cache, then downloads.

    Raises:
        UserError: as `InceptionExtractor`.
    """

    name = "inception_torchvision"
    input = "8 bits a channel, grey repeated to three channels; ImageNet's mean and deviation; 299x299, aligned corners"
    feature_dim = 2048

    def __init__(self, weights: str | None = None) -> None:
        super().__init__()
        path = _inception_weights(weights, Inception_V3_Weights.IMAGENET1K_V1.url)
        self.network = inception_v3(init_weights=False, transform_input=False)
        try:
            self.network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        except RuntimeError as error:
            raise UserError(f"{path} does not fit torchvision's Inception-v3: {str(error)[:200]}") from None
        self.network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self.classes, self.network.fc = self.network.fc, nn.Identity()
        self.identity, self.facts = hashlib.sha256(path.read_bytes()).hexdigest(), {}
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None])
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225])[:, None, None])

    @torch.no_grad()
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(images.device.type, enabled=False):
            x = (_in_colour(images).float() / 255 - self.mean) / self.deviation
            x = interpolate(x, (299, 299), mode="bilinear", align_corners=True)  # (N, 3, H, W) -> (N, 3, 299, 299)
            features = self.network(x)
            return features, self.classes(features)


class ModuleExtractor(nn.Module):
    """Any module as an extractor, in eval mode without gradients.

    Args:
        module: images uint8 (N, C, H, W) -> features (N, d), or (features, logits (N, classes)), without which there is
            no IS. Its attributes `name`, `input`, `facts` are taken over; the name is else its class's.
        images: uint8 (N, C, H, W), a few to try it on.

    Raises:
        UserError: it returns something else.
    """

    def __init__(self, module: nn.Module, images: Tensor) -> None:
        super().__init__()
        self.module = module.eval().requires_grad_(False)
        kind = type(module)
        self.name = getattr(module, "name", kind.__name__.lower())
        self.input = getattr(module, "input", "as it is, 8 bits a channel")
        self.facts = getattr(module, "facts", {})
        code = f"{kind.__module__}.{kind.__qualname__} {inspect.getsource(kind)} {_hash_weights(module.state_dict())}"
        self.identity = hashlib.sha256(code.encode()).hexdigest()
        features, logits = self(images)
        for part, tensor in (("features", features), ("logits", logits)):
            shape = list(tensor.shape) if isinstance(tensor, Tensor) else type(tensor).__name__
            if tensor is None and part == "logits":
                continue
            if not isinstance(tensor, Tensor) or tensor.ndim != 2 or len(tensor) != len(images):
                raise UserError(f"metrics.extractor: {part} of {len(images)} images are {shape}, not (N, d)")
        self.feature_dim, self.gives_logits = features.shape[1], logits is not None

    @torch.no_grad()
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        with torch.autocast(images.device.type, enabled=False):
            output = self.module(images)
        return output if isinstance(output, tuple) else (output, None)


def _in_colour(images: Tensor) -> Tensor:
    """(N, 1, H, W) -> (N, 3, H, W), grey repeated; (N, 3, H, W) stays."""
    return images.repeat(1, 3, 1, 1) if images.shape[1] == 1 else images


def _inception_weights(weights: str | None, url: str) -> Path:
    """A file that holds Inception's tensors and, being from a stranger, nothing but tensors."""
    default = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[1]
    path = Path(weights).expanduser() if weights else default
    advice = (
        f"Get {url}\nand put it at {default}, or name it: metrics.weights=FILE\n"
        "Or score with a classifier trained on the set (metrics=classifier), or not at all (metrics=none)."
    )
    if not path.is_file():
        if weights:
            raise UserError(f"metrics.weights={weights}: no such file.\n{advice}")
        offline.check(url)
        try:
            load_state_dict_from_url(url, progress=True, weights_only=True)
        except (URLError, OSError) as error:
            raise UserError(
                "The Inception weights are not on this machine, and downloading them failed "
                f"({getattr(error, 'reason', error)}).\n{advice}"
            ) from None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever the damage leads to
        raise UserError(f"{path} does not hold Inception weights ({type(error).__name__}).\n{advice}") from None
    if not isinstance(state, dict) or "fc.weight" not in state:
        raise UserError(f"{path} does not hold Inception weights.\n{advice}")
    return path


def train_classifier(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    test_images: Tensor,
    test_labels: Tensor,
    updates: int,
    batch_size: int,
    lr: float,
    seed: int,
    cache: Path,
    key: str,
    device: torch.device,
) -> ClassifierExtractor:
    """The extractor of `network`, trained once on uint8 images (N, C, H, W) and labels (N,), then read from `cache`.

    AdamW on a one-cycle schedule; the global random state is left as it was. `key` tells apart whatever else the result
    depends on.
    """
    path = classifier_file(network, cache, key)
    network.to(device, memory_format=torch.channels_last)
    if path.exists():
        saved = torch.load(path, map_location=device, weights_only=True)
        network.load_state_dict(saved["weights"])
        return ClassifierExtractor(network, saved["accuracy"])
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        for layer in network.modules():
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
        _fit(network.train(), images, labels, updates, batch_size, lr, device)
    accuracy = _accuracy(network.eval(), test_images, test_labels, device)
    save_atomically({"weights": network.state_dict(), "accuracy": accuracy}, path)
    return ClassifierExtractor(network, accuracy)


def classifier_file(network: nn.Module, cache: Path, key: str) -> Path:
    """Where `train_classifier` keeps what it has trained."""
    training = inspect.getsource(train_classifier) + inspect.getsource(_fit)
    recipe = f"{key} {network} {training}"  # another network or training is another classifier
    return cache / "classifiers" / f"{hashlib.sha256(recipe.encode()).hexdigest()[:32]}.pt"


def _fit(network, images, labels, updates, batch_size, lr, device) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=updates)
    order = torch.randperm(len(images))
    at = 0
    for _ in track(range(updates), "training the classifier that scores", transient=True):
        if at + batch_size > len(order):
            order, at = torch.randperm(len(images)), 0
        chosen = order[at : at + batch_size]
        at += batch_size
        batch = images[chosen].to(device).float().div_(127.5).sub_(1)
        loss = cross_entropy(network(batch)[1], labels[chosen].to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


@torch.no_grad()
def _accuracy(network: nn.Module, images: Tensor, labels: Tensor, device: torch.device) -> float:
    right = 0
    for batch, truth in zip(images.split(500), labels.split(500), strict=True):
        logits = network(batch.to(device).float().div_(127.5).sub_(1))[1]
        right += (logits.argmax(1).cpu() == truth).sum().item()
    return right / len(labels)


def save_atomically(state: dict[str, Any], path: Path) -> None:
    """torch.save to a file of our own beside `path`, then into place: never half a file, whoever else writes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    torch.save(state, part)
    os.replace(part, path)


def _hash_weights(state: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
