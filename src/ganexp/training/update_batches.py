"""Choose the real images and labels of an update, and compute the generated images of the update."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ganexp.data.stream import Batch as RealBatch
from ganexp.errors import UserError
from ganexp.losses.objective import Batch
from ganexp.models.latent import Latent
from ganexp.training.updates import Backward


class UpdateBatches:
    """The batches of real and generated images in the updates of each step.

    Args:
        networks: all networks by name.
        latent: distribution of the latents.
        num_classes: number of classes of a conditional GAN; 0 trains without labels.
        labels: for each network, which labels the generated images get in the updates of this network: the labels of
            the real batch (`real`), or random labels (`uniform`).
    """

    def __init__(self, networks: nn.ModuleDict, latent: Latent, num_classes: int, labels: Mapping[str, str]) -> None:
        self.networks, self.latent, self.num_classes, self.labels = networks, latent, num_classes, labels
        self._shared_fakes: dict[int, tuple[Tensor, Tensor | None]] = {}  # part of the batch -> images and labels

    def start_step(self) -> None:
        """Forget the generated images that the updates of the last step shared."""
        self._shared_fakes = {}

    @property
    def has_shared_fakes(self) -> bool:
        """Whether this step already has generated images that its updates share."""
        return bool(self._shared_fakes)

    def batch(self, phase: Backward, real: RealBatch) -> Batch:
        """Return the images and labels of the phase.

        Gradients reach the generator only in its own update.

        Raises:
            UserError: the generated images do not have the shape of the real images.
        """
        prepare_real = getattr(self.networks["discriminator"], "prepare_real", None)
        images = real.images if prepare_real is None else prepare_real(real.images)
        batch = Batch(images, real.labels if self.num_classes else None)
        if phase.network == "generator":
            batch.fake, batch.fake_labels = self._fakes(phase, real)
        elif phase.network == "discriminator":
            with torch.set_grad_enabled(phase.fakes == "shared"):
                fakes, batch.fake_labels = self._fakes(phase, real)
            batch.fake = fakes.detach()
        return batch

    def _fakes(self, phase: Backward, real: RealBatch) -> tuple[Tensor, Tensor | None]:
        """Return generated images (N, C, H, W) and their labels (N,) or None."""
        if phase.fakes == "fresh":
            return self._generate(self._labels(phase.network, real), real)
        if phase.part not in self._shared_fakes:
            self._shared_fakes[phase.part] = self._generate(self._labels("generator", real), real)
        return self._shared_fakes[phase.part]

    def _generate(self, labels: Tensor | None, real: RealBatch) -> tuple[Tensor, Tensor | None]:
        z = self.latent.sample(len(real.images), real.images.device)
        images = self.networks["generator"](z, labels)
        if getattr(images, "shape", None) != real.images.shape:
            raise UserError(
                f"model.generator: must return images of shape {tuple(real.images.shape)}, like the real images, and "
                f"returned {tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__}."
            )
        return images, labels

    def _labels(self, network: str, real: RealBatch) -> Tensor | None:
        """Return the labels (N,) of generated images in an update of `network`; None if there are no classes."""
        if not self.num_classes:
            return None
        if self.labels[network] == "real":
            return real.labels
        return torch.randint(self.num_classes, (len(real.images),), device=real.images.device)
