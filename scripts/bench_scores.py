"""`bench.py scores`: IS, FID and KID of the same images, by ganexp, by torchmetrics and by torch-fidelity."""

import os
import statistics
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils.data import TensorDataset
from torch_fidelity import calculate_metrics
from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3, FeatureExtractorInceptionV3
from torchmetrics.image import FrechetInceptionDistance, InceptionScore, KernelInceptionDistance

from ganexp.metrics.extractors import InceptionExtractor
from ganexp.metrics.reference import reference
from ganexp.metrics.scores import Scores

SUBSET = 50  # images a KID subset


def scores(device: torch.device, rounds: int, count: int, batch_size: int) -> None:
    """Prints how long each takes for `count` real and as many generated images, and the ratios; rounds in turns."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["TORCH_HOME"] = home
        random_inception(Path(torch.hub.get_dir()) / "checkpoints" / Path(URL_INCEPTION_V3).name)
        generator = torch.Generator().manual_seed(0)
        blobs = torch.rand(2, count, 3, 4, 4, generator=generator) * torch.tensor([255.0, 200.0]).view(2, 1, 1, 1, 1)
        real, fake = (interpolate(images, (32, 32), mode="bilinear").byte() for images in blobs)
        ways = {
            "ganexp": Ganexp(device, count),
            "torchmetrics": Torchmetrics(device),
            "torch-fidelity": TorchFidelity(device, batch_size),
        }
        times, found = {name: [] for name in ways}, {}
        for _ in range(rounds):
            for name, way in ways.items():
                started = time.perf_counter()
                found[name] = way(real.split(batch_size), fake.split(batch_size))
                times[name].append(time.perf_counter() - started)
    for name, values in found.items():
        print(f"{name:15} FID {values[0]:.6g}, IS {values[1]:.6g}")
    print(f"{count} real and {count} generated images 32x32, batch {batch_size}, Inception-v3 (random weights)")
    for name in ("torchmetrics", "torch-fidelity"):
        ratios = [theirs / ours for theirs, ours in zip(times[name], times["ganexp"], strict=True)]
        print(f"{name} / ganexp: median {statistics.median(ratios):.2f}, from {min(ratios):.2f} to {max(ratios):.2f}")
    if device.type == "cuda":
        print(", ".join(f"{name} {statistics.median(t):.2f} s" for name, t in times.items()))


class Ganexp:
    def __init__(self, device: torch.device, count: int) -> None:
        self.device, self.count = device, count
        self.extractor = InceptionExtractor().to(device)

    def __call__(self, real: list[Tensor], fake: list[Tensor]) -> tuple[float, float]:
        with tempfile.TemporaryDirectory() as cache:  # the real images are gone through as well
            side = reference(self.extractor, real, self.count, "real", Path(cache), self.device)
        made = Scores(self.extractor, {"train": side}, self.count, 10, self.device, names=("is", "fid", "kid"))
        values = made(batch.to(self.device).float() / 127.5 - 1 for batch in fake)
        return values["fid_inception"], values["is_inception"]


class Torchmetrics:
    def __init__(self, device: torch.device) -> None:
        self.device = device
        made = FrechetInceptionDistance(), InceptionScore(), KernelInceptionDistance(subset_size=SUBSET)
        self.fid, self.score, self.kid = (metric.to(device) for metric in made)

    def __call__(self, real: list[Tensor], fake: list[Tensor]) -> tuple[float, float]:
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
    def __init__(self, device: torch.device, batch_size: int) -> None:
        self.device, self.batch_size = device, batch_size

    def __call__(self, real: list[Tensor], fake: list[Tensor]) -> tuple[float, float]:
        found = calculate_metrics(
            input1=_Images(torch.cat(fake)), input2=_Images(torch.cat(real)), isc=True, fid=True, kid=True, cache=False,
            kid_subset_size=SUBSET, batch_size=self.batch_size, cuda=self.device.type == "cuda", verbose=False,
        )  # fmt: skip
        return found["frechet_inception_distance"], found["inception_score_mean"]


class _Images(TensorDataset):
    def __getitem__(self, index: int) -> Tensor:
        return self.tensors[0][index]


def random_inception(path: Path) -> None:
    """A file of the true form where all three look for it; the weights do not matter for speed."""
    path.parent.mkdir(parents=True)
    torch.manual_seed(0)
    unread = {"load": lambda *args, **kwargs: {}}
    with patch.multiple(torch, **unread), patch.object(FeatureExtractorInceptionV3, "load_state_dict"):
        network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048", "logits_unbiased"], "none")
    torch.save(network.state_dict(), path)
