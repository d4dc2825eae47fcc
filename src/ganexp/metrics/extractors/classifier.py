"""Train a small classifier on the dataset itself, for datasets that Inception's features do not describe well."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ganexp import console
from ganexp.metrics.cached_file import read_cached
from ganexp.metrics.extractors.base import Extractor, hash_weights
from ganexp.pixels import from_uint8
from ganexp.runs import atomic
from ganexp.runs.places import check_writable
from ganexp.tf32 import without_tf32
from ganexp.types import PositiveFloat, PositiveInt

Updates = Annotated[int, Ge(1), Le(10_000_000)]
TRAINING_VERSION = 2  # to be increased when the training below changes, so that cached classifiers are trained anew


@dataclass
class LabelledImages:
    """Images of a dataset with their classes.

    Attributes:
        images: uint8 (N, C, H, W).
        labels: int64 (N,).
        origin: where the images come from, as a text. If it is not empty, it is recorded with the accuracy on these
            images.
    """

    images: Tensor
    labels: Tensor
    origin: str = ""

    def fingerprint(self) -> str:
        """Return the SHA-256 of all pixels and labels."""
        digest = hashlib.sha256(repr(tuple(self.images.shape)).encode())
        for tensor in (self.images, self.labels):
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


class ClassifierExtractor(Extractor):
    """A classifier trained on the classes of the dataset.

    Args:
        network: network that maps images in [-1, 1] to features (N, d) and class logits (N, K).
        feature_dim: number of features d.
        num_logits: number of class logits K.
        accuracy: accuracy on held-out images, in [0, 1].
        tested_on: where the held-out images come from; empty if they are the test split.
    """

    name = "classifier"
    input = "as it is, 8 bits a channel"
    knows_labels = True

    def __init__(
        self, network: nn.Module, feature_dim: int, num_logits: int, accuracy: float, tested_on: str = ""
    ) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        self.feature_dim, self.num_logits = feature_dim, num_logits
        self.identity = hash_weights(network.state_dict())
        self.facts = {"classifier_test_accuracy": accuracy}
        if tested_on:
            self.facts["classifier_tested_on"] = tested_on

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (N, d) and logits (N, K) of uint8 images (N, C, H, W)."""
        return self.network(from_uint8(images))


def train_classifier(
    network: nn.Module,
    updates: Updates,
    batch_size: PositiveInt,
    lr: PositiveFloat,
    seed: int,
    train: LabelledImages,
    test: LabelledImages,
    file: Path,
    device: torch.device,
) -> ClassifierExtractor:
    """Train a classifier with AdamW and a one-cycle schedule, or read it from `file` if it was trained before.

    The global random state does not change.

    Args:
        network: network that maps images in [-1, 1] to features (N, d) and class logits (N, K). Its weights are
            initialised again.
        updates: number of optimizer steps.
        batch_size: images per step.
        lr: highest learning rate of the schedule.
        seed: seed of the weights and of the order of the images.
        train: images to train on.
        test: held-out images. The accuracy on these images is recorded with the scores.
        file: cache file, see `classifier_file`. It holds the trained weights, and the accuracy on each test set.
        device: device on which the classifier is trained.

    Raises:
        OSError: the weights are not cached, and the cache cannot be written.
    """
    network.to(device).to(memory_format=torch.channels_last)
    saved = _read(file, network, device)
    if saved is not None:
        network.load_state_dict(saved["weights"])
    else:
        check_writable(file.parent)
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            for layer in network.modules():
                reset = getattr(layer, "reset_parameters", None)
                if reset is not None:
                    reset()
            with without_tf32():
                _fit(network.train(), train, updates, batch_size, lr, device)
        saved = {"network": str(network), "weights": network.state_dict(), "accuracies": {}}
        file.parent.mkdir(parents=True, exist_ok=True)
    accuracies, content = saved["accuracies"], test.fingerprint()
    if content not in accuracies:
        accuracies[content] = _accuracy(network.eval(), test, device)
        if os.access(file.parent, os.W_OK):  # otherwise the accuracy is computed again in each run
            with atomic.replacing(file) as temporary:
                torch.save(saved, temporary)
    features, logits = _predict(network.eval(), test.images[:1], device)
    return ClassifierExtractor(network, features.shape[1], logits.shape[1], accuracies[content], test.origin)


def classifier_file(cache: Path, key: str) -> Path:
    """Return the cache file of a trained classifier.

    Args:
        cache: directory of cached files.
        key: text that lists everything that determines the trained weights: the images and labels, which images are
            held out, the settings, and the version of torch.
    """
    return cache / "classifiers" / f"{hashlib.sha256(f'{TRAINING_VERSION} {key}'.encode()).hexdigest()[:32]}.pt"


def _read(file: Path, network: nn.Module, device: torch.device) -> dict[str, Any] | None:
    """Return the content of `file`; None if it is missing, is damaged or comes from a network with other layers."""
    saved = read_cached(file, ("network", "weights", "accuracies"), device)
    return saved if saved is not None and saved["network"] == str(network) else None


def _fit(
    network: nn.Module, train: LabelledImages, updates: int, batch_size: int, lr: float, device: torch.device
) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=updates)
    count = len(train.images)
    order, position = torch.randperm(count), 0
    for _ in console.progress(range(updates), "training the classifier for the scores"):
        if position + batch_size > count:
            order, position = torch.randperm(count), 0
        chosen = order[position : position + batch_size]
        position += batch_size
        logits = network(from_uint8(train.images[chosen].to(device)))[1]
        loss = cross_entropy(logits, train.labels[chosen].to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


@torch.no_grad()
def _predict(network: nn.Module, images: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return features (N, d) and class logits (N, K) of uint8 images (N, C, H, W)."""
    return network(from_uint8(images.to(device)))


def _accuracy(network: nn.Module, test: LabelledImages, device: torch.device) -> float:
    """Return the accuracy: the share of images for which the logit of their class is the highest."""
    correct = 0
    for images, labels in zip(test.images.split(500), test.labels.split(500), strict=True):
        logits = _predict(network, images, device)[1]
        correct += int((logits.argmax(1).cpu() == labels).sum())
    return correct / len(test.labels)
