"""Minibatch standard deviation, which gives a discriminator a measure of the diversity of its batch.

Source: Karras et al. 2018, section 3. Here, the whole batch is one group.
"""

import torch
from torch import Tensor, nn


class MinibatchStd(nn.Module):
    """Append a channel with the mean standard deviation of the features over the batch.

    The standard deviation √(variance + 1e-8) of every feature over the batch is averaged over all channels and pixels.
    The result, one number for the batch, is the value of the appended channel at every pixel of every image. Therefore
    the output for an image depends on the other images of the batch, also when a gradient penalty is computed. Real and
    generated images must come in separate batches. The layer takes feature maps, as in the paper, or features (N, F).

    Source: Karras et al. 2018, section 3. Use it when samples are less diverse than real images; it is cheaper than
    minibatch discrimination.
    """

    needs_separate_batches = True

    def forward(self, x: Tensor) -> Tensor:
        """Return feature maps (N, C + 1, H, W) for x (N, C, H, W), or features (N, F + 1) for x (N, F)."""
        deviation = (x.var(0, correction=0) + 1e-8).sqrt().mean()  # (N, C, H, W) -> (C, H, W) -> ()
        return torch.cat([x, deviation.expand(len(x), 1, *x.shape[2:])], 1)
