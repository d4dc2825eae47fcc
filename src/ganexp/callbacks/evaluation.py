"""Scores and pictures at the end of every period. Training is not touched: own generators, eval mode and back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from pytorch_lightning import Callback, Trainer
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganexp.loggers.record import Record
from ganexp.metrics.scores import Scores
from ganexp.plots import grids
from ganexp.runs.run_directory import RunFolder
from ganexp.training.gan import GAN

AT_ONCE = 10_000  # latents; more are drawn in turns, so that memory does not grow with the samples


@contextmanager
def sampling(network: nn.Module) -> Iterator[nn.Module]:
    """`network` in eval mode without gradients; each module's mode is put back."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        with torch.no_grad():
            yield network
    finally:
        for module, mode in modes.items():
            module.training = mode


def draw(
    gan: GAN, count: int, batch_size: int, seed: int, truncation: float | None = None, shown: bool = True
) -> Iterator[Tensor]:
    """Samples (≤ batch_size, C, H, W) at a time: the same `count` latents for a seed on every machine.

    In [-1, 1], or with `shown=False` as D sees them. `truncation`: see `truncate`.
    """
    generator = torch.Generator().manual_seed(seed)
    labels = drawn_labels(gan, count)
    for start in range(0, count, AT_ONCE):
        z = gan.latent.sample(min(AT_ONCE, count - start), generator=generator)
        if truncation is not None:
            z = truncate(z, truncation, generator)
        for part in range(0, len(z), batch_size):
            chosen = z[part : part + batch_size].to(gan.device)
            first = start + part
            asked = None if labels is None else labels[first : first + len(chosen)].to(gan.device)
            with sampling(gan.sampler) as network:
                images = network(chosen, asked)
            yield gan.shown(images) if shown else images


def truncate(z: Tensor, threshold: float, generator: torch.Generator) -> Tensor:
    """Normal latents (N, d) with every value beyond ±threshold drawn anew (Brock et al. 2019, section 3.1)."""
    while (outside := z.abs() > threshold).any():
        z[outside] = torch.randn(int(outside.sum()), generator=generator)
    return z


def measured(gan: GAN) -> dict[str, str]:
    """What `draw` draws from, for those who read the scores."""
    norms = [module for module in gan.sampler.modules() if isinstance(module, _BatchNorm)]
    kinds = {"the batch's statistics" if norm.running_mean is None else "running statistics" for norm in norms}
    weights = "raw" if gan.ema is None else "averaged (EMA)"
    return {"weights": weights, "batch_norm": " and ".join(sorted(kinds)) or "none"}


def drawn_labels(gan: GAN, count: int) -> Tensor | None:
    """Labels (count,) that `draw` asks for: round the classes, so that each has its share; None without classes."""
    return torch.arange(count) % gan.num_classes if gan.num_classes else None


def sample_grid(gan: GAN, seed: int, rows: int = 10, columns: int = 10) -> Tensor:
    """Fixed latents as one picture uint8 (3, H, W): `rows` x `columns`; a class a row where there are classes."""
    rows = min(gan.num_classes, 20) or rows
    z = gan.latent.sample(rows * columns, generator=torch.Generator().manual_seed(seed)).to(gan.device)
    labels = torch.arange(rows, device=gan.device).repeat_interleave(columns) if gan.num_classes else None
    with sampling(gan.sampler) as network:
        return grids.grid(gan.shown(network(z, labels)), columns)


def interpolation_grid(gan: GAN, seed: int, spherical: bool, rows: int = 10, columns: int = 5) -> Tensor:
    """Walks between latents as one picture uint8 (3, H, W): row r from latent rows + r to latent r, class r fixed."""
    z = gan.latent.sample(2 * rows, generator=torch.Generator().manual_seed(seed))
    walk = grids.interpolate(z[rows:], z[:rows], columns, spherical).flatten(0, 1).to(gan.device)  # (rows·columns, d)
    labels = None
    if gan.num_classes:
        labels = (torch.arange(rows, device=gan.device) % gan.num_classes).repeat_interleave(columns)
    with sampling(gan.sampler) as network:
        return grids.grid(gan.shown(network(walk, labels)), columns)


def draw_interpolations(gan: GAN, folder: RunFolder, record: Record, seed: int) -> None:
    """Both walks between latents, into the run folder and TensorBoard."""
    for kind in ("linear", "spherical"):
        picture = interpolation_grid(gan, seed, spherical=kind == "spherical")
        grids.save(picture, folder.samples / f"interpolation-{kind}.png")
        record.log_picture(f"interpolation/{kind}", picture, gan.step)


class Evaluation(Callback):
    """Before the first step and at the end of every period: scores, the grid of fixed latents, and the logged point.

    Args:
        scores: None draws without scoring.
        samples: how many samples are scored.
        seed: of the latents, the same at every evaluation.
        watch: gives values of its own, which are logged beside the scores.
    """

    def __init__(
        self,
        folder: RunFolder,
        scores: Scores | None,
        samples: int,
        batch_size: int,
        seed: int,
        watch: Callable[[GAN, int], dict[str, float]],
    ) -> None:
        self.folder, self.scores, self.watch = folder, scores, watch
        self.samples, self.batch_size, self.seed = samples, batch_size, seed

    def on_train_start(self, trainer: Trainer, gan: GAN) -> None:
        if gan.step == 0:
            self._evaluate(trainer, gan)

    def on_train_epoch_end(self, trainer: Trainer, gan: GAN) -> None:
        for name, value in self._evaluate(trainer, gan).items():
            gan.log(name, value, logger=False)  # where ModelCheckpoint looks

    def _evaluate(self, trainer: Trainer, gan: GAN) -> dict[str, float]:
        axes = gan.axes()  # before the clock counts this evaluation
        picture = sample_grid(gan, self.seed)
        grids.save(picture, self.folder.samples / f"step-{gan.step:07d}.png")
        trainer.logger.log_picture("samples", picture, gan.step)
        watched, values = self.watch(gan, self.seed), {}
        if self.scores is not None:
            values = self.scores(draw(gan, self.samples, self.batch_size, self.seed), drawn_labels(gan, self.samples))
        gan.latest |= values
        gan.scored_at = gan.step
        logged = {f"score/{name}": value for name, value in values.items()}
        trainer.logger.log_metrics(logged | watched | axes, gan.step)
        return values
