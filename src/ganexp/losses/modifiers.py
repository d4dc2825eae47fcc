"""Modifiers of the discriminator's update: they change the generated images that D receives, or the outputs of D.

Modifiers are called in the order of the config. A modifier is an object with one or both of these methods:

- `change_fakes(fake, labels)` returns the images (N, C, H, W) and labels (N,) or None that the discriminator receives
  as generated images. Penalties with the method `of_outputs` receive the images and labels after this change, and all
  other penalties receive the images and labels before this change.
- `change_outputs(d_real, d_fake)` returns the discriminator's outputs that the adversarial loss receives.

The generator's update is not changed. A modifier with state is an `nn.Module`, so that its state is saved in
checkpoints. If the state would differ between devices that train together, the modifier sets the class attribute
`needs_one_device` to True.
"""

from typing import Any

import torch
from torch import Tensor, nn

from ganexp.types import ImageCount, UnitInterval

METHODS = ("change_fakes", "change_outputs")


class FlippedLabels:
    """With some probability, swap D's outputs on a real and a generated image: the loss then sees flipped labels.

    This is the label noise of tip 6 of "How to train a GAN?" (Chintala et al. 2016): the loss sometimes treats a real
    image as generated and a generated image as real, so that the discriminator does not become certain. It works with
    every adversarial loss. To smooth labels instead, use `real_target` of `NonSaturating`.

    Use it when the discriminator is so certain that its loss tends to 0.

    Args:
        probability: Probability of a swap, for each pair of a real and a generated image.

    Example:
        >>> FlippedLabels(probability=1.0).change_outputs(torch.tensor([3.0]), torch.tensor([-1.0]))
        (tensor([-1.]), tensor([3.]))
    """

    def __init__(self, probability: UnitInterval) -> None:
        self.probability = probability

    def change_outputs(self, d_real: Tensor, d_fake: Tensor) -> tuple[Tensor, Tensor]:
        """Return both outputs (N,) or (N, L), with some pairs swapped."""
        pairs = (len(d_real), *[1] * (d_real.ndim - 1))
        flipped = torch.rand(pairs, device=d_real.device) < self.probability
        return torch.where(flipped, d_fake, d_real), torch.where(flipped, d_real, d_fake)


class Replay(nn.Module):
    """Show the discriminator earlier images of the generator, together with the current images.

    In each update of the discriminator, a share of the generated images comes from a buffer. The same number of random
    entries of the buffer are then replaced by new images (Shrivastava et al. 2017, section 2.3). While the buffer is
    being filled, all images are new. Use it when generator and discriminator repeat the same cycle, because the
    discriminator forgets what the generator drew before. The buffer is saved in checkpoints.

    Args:
        size: Number of images in the buffer.
        share: Share of the generated images that comes from the buffer; one half in Shrivastava et al. 2017.

    Example:
        >>> replay = Replay(size=2, share=0.5)
        >>> replay.change_fakes(torch.zeros(2, 1, 1, 1), None)[0].flatten().tolist()  # fills the buffer
        [0.0, 0.0]
        >>> replay.change_fakes(torch.ones(2, 1, 1, 1), None)[0].flatten().tolist()
        [1.0, 0.0]
    """

    needs_one_device = True

    def __init__(self, size: ImageCount, share: UnitInterval = 0.5) -> None:
        super().__init__()
        self.size, self.share, self.filled = size, share, 0
        self.images = torch.empty(0)  # (size, C, H, W) after the first update; only the first `filled` entries are used
        self.labels = torch.empty(0, dtype=torch.long)  # (size,) after the first update, if there are labels

    def change_fakes(self, fake: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return new and buffered images (N, C, H, W) with labels (N,) or None; store some new images in the buffer."""
        self._prepare(fake, labels)
        if self.filled < self.size:
            self._store(slice(self.filled, self.filled + len(fake)), fake, labels)
            self.filled = min(self.filled + len(fake), self.size)
            return fake, labels
        count = min(round(self.share * len(fake)), self.size)
        entries = torch.randperm(self.size, device=fake.device)[:count]
        shown = torch.cat([fake[count:], self.images[entries]])
        shown_labels = None if labels is None else torch.cat([labels[count:], self.labels[entries]])
        self._store(torch.randperm(self.size, device=fake.device)[:count], fake, labels)
        return shown, shown_labels

    def _prepare(self, fake: Tensor, labels: Tensor | None) -> None:
        """Create the buffer, or move it to the device of the images after a checkpoint has been loaded."""
        if not self.filled:
            self.images = fake.new_zeros(self.size, *fake.shape[1:])
            self.labels = self.labels if labels is None else labels.new_zeros(self.size)
        self.images, self.labels = self.images.to(fake.device), self.labels.to(fake.device)

    def _store(self, entries: slice | Tensor, fake: Tensor, labels: Tensor | None) -> None:
        """Replace the `entries` of the buffer by the first images of `fake` and their labels."""
        count = len(self.images[entries])
        self.images[entries] = fake[:count].detach()
        if labels is not None:
            self.labels[entries] = labels[:count]

    def get_extra_state(self) -> dict[str, Any]:
        """Return the buffer for a checkpoint."""
        return {"images": self.images, "labels": self.labels, "filled": self.filled}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore the buffer from a checkpoint."""
        self.images, self.labels, self.filled = state["images"].clone(), state["labels"].clone(), state["filled"]
