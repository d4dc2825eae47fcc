"""Time IS, FID and KID of the same images with ganexp, torchmetrics and torch-fidelity, for `bench.py scores`."""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from bench_cases import spread
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils.data import Dataset
from torch_fidelity import calculate_metrics
from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3, FeatureExtractorInceptionV3
from torchmetrics.image import FrechetInceptionDistance, InceptionScore, KernelInceptionDistance

from ganexp.metrics.collection import Scores
from ganexp.metrics.extractors.inception import InceptionExtractor
from ganexp.metrics.fid import FID
from ganexp.metrics.inception_score import InceptionScore as GanexpInceptionScore
from ganexp.metrics.kid import KID
from ganexp.metrics.reference import load_reference
from ganexp.pixels import from_uint8

SUBSET = 50  # images per KID subset
Batches = Sequence[Tensor]  # each batch (N, C, H, W), uint8


def scores(device: torch.device, rounds: int, count: int, batch_size: int) -> None:
    """Print the FID and the IS of each library, and the time of each other library as a multiple of ganexp's time.

    Args:
        device: device on which all three libraries compute.
        rounds: number of times that each library is timed.
        count: number of real images and of generated images.
        batch_size: images per batch.
    """
    with tempfile.TemporaryDirectory() as torch_home:
        os.environ["TORCH_HOME"] = torch_home
        weights = Path(torch.hub.get_dir()) / "checkpoints" / Path(URL_INCEPTION_V3).name
        save_random_inception(weights)
        generator = torch.Generator().manual_seed(0)
        blobs = torch.rand(2, count, 3, 4, 4, generator=generator) * torch.tensor([255.0, 200.0]).view(2, 1, 1, 1, 1)
        real, fake = (interpolate(images, (32, 32), mode="bilinear").byte() for images in blobs)
        libraries: dict[str, Callable[[Batches, Batches], tuple[float, float]]] = {
            "ganexp": Ganexp(device, count, weights),
            "torchmetrics": Torchmetrics(device),
            "torch-fidelity": TorchFidelity(device, batch_size),
        }
        times: dict[str, list[float]] = {name: [] for name in libraries}
        values_by_library = {}
        for _ in range(rounds):
            for name, compute in libraries.items():
                started = time.perf_counter()
                values_by_library[name] = compute(real.split(batch_size), fake.split(batch_size))
                times[name].append(time.perf_counter() - started)
    for name, values in values_by_library.items():
        print(f"{name:15} FID {values[0]:.6g}, IS {values[1]:.6g}")
    print(f"{count} real and {count} generated images 32x32, batch {batch_size}, Inception-v3 (random weights)")
    for name in ("torchmetrics", "torch-fidelity"):
        ratios = [theirs / ours for theirs, ours in zip(times[name], times["ganexp"], strict=True)]
        print(f"time of {name} / time of ganexp: {spread(ratios)}")
    if device.type == "cuda":
        print(", ".join(f"{name} {statistics.median(t):.2f} s" for name, t in times.items()))


class Ganexp:
    """IS, FID and KID of ganexp, from one pass of the images through one Inception network."""

    def __init__(self, device: torch.device, count: int, weights: Path) -> None:
        self.device, self.count = device, count
        self.extractor = InceptionExtractor(str(weights)).to(device)

    def __call__(self, real: Batches, fake: Batches) -> tuple[float, float]:
        """Return FID and IS."""
        with tempfile.TemporaryDirectory() as cache:  # an empty cache, so that the real images are processed too
            reference = load_reference(self.extractor, real, self.count, "real", Path(cache), self.device)
        factories = {"is": GanexpInceptionScore, "fid": FID, "kid": KID}
        scores = Scores(self.extractor, {"train": reference}, self.count, self.device, factories)
        scores.reset()
        indices = torch.arange(self.count).split(len(fake[0]))
        for batch, batch_indices in zip(fake, indices, strict=True):
            scores.update(from_uint8(batch.to(self.device)), None, batch_indices)
        values = scores.compute()
        return values["fid_inception"], values["is_inception"]


class Torchmetrics:
    """Three separate metrics of torchmetrics, each with its own Inception network."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.fid = FrechetInceptionDistance().to(device)
        self.score = InceptionScore().to(device)
        self.kid = KernelInceptionDistance(subset_size=SUBSET).to(device)

    def __call__(self, real: Batches, fake: Batches) -> tuple[float, float]:
        """Return FID and IS."""
        for metric in (self.fid, self.score, self.kid):
            metric.reset()
        with torch.no_grad():
            for batches, is_real in ((real, True), (fake, False)):
                for batch in batches:
                    images = batch.to(self.device)
                    self.fid.update(images, real=is_real)
                    self.kid.update(images, real=is_real)
                    if not is_real:
                        self.score.update(images)
        self.kid.compute()
        return self.fid.compute().item(), self.score.compute()[0].item()


class TorchFidelity:
    """IS, FID and KID of torch-fidelity, from one pass of the images through one Inception network, without a cache."""

    def __init__(self, device: torch.device, batch_size: int) -> None:
        self.device, self.batch_size = device, batch_size

    def __call__(self, real: Batches, fake: Batches) -> tuple[float, float]:
        """Return FID and IS."""
        values = calculate_metrics(
            input1=_Images(torch.cat(list(fake))),
            input2=_Images(torch.cat(list(real))),
            isc=True,
            fid=True,
            kid=True,
            cache=False,
            kid_subset_size=SUBSET,
            batch_size=self.batch_size,
            cuda=self.device.type == "cuda",
            verbose=False,
        )
        return values["frechet_inception_distance"], values["inception_score_mean"]


class _Images(Dataset[Tensor]):
    """A dataset that returns images one by one, as torch-fidelity expects."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        return self.images[index]


class _RandomInception(FeatureExtractorInceptionV3):
    """torch-fidelity's Inception network with its random initial weights instead of the weights in a file."""

    def load_state_dict(self, *args: Any, **options: Any) -> None:
        """Load nothing."""


def save_random_inception(path: Path) -> None:
    """Save random Inception weights to `path`. The values do not affect the speed."""
    path.parent.mkdir(parents=True)
    torch.save({}, path)
    torch.manual_seed(0)
    network = _RandomInception("inception-v3-compat", ["2048", "logits_unbiased"], str(path))
    torch.save(network.state_dict(), path)
