"""The relativistic loss of pairs of a real and a generated image (Jolicoeur-Martineau 2020; Huang et al. 2024)."""

from torch import Tensor
from torch.nn.functional import softplus

from ganexp.losses.adversarial import Terms


class Relativistic:
    """D minimises -log σ(D(x) - D(G(z))), G minimises -log σ(D(G(z)) - D(x)), with D the logit and σ the sigmoid.

    Each generated image is compared with the real image at the same position in the batch. Source: the loss RpGAN of
    Jolicoeur-Martineau 2020, section 3.2, as in R3GAN (Huang et al. 2024, equation 2).

    Use it with `R1` and `R2` when the generator does not draw all types of images in the dataset. If one of these
    penalties is missing, the training may diverge. A conditional GAN needs schedule.updates.labels.generator=real, so
    that the two images of each pair have the same class.

    Example:
        >>> import torch
        >>> real, fake = torch.tensor([2.0, 0.0]), torch.tensor([2.0, 0.0])
        >>> Relativistic().discriminator(real, fake)  # log(1 + exp(0))
        {'adversarial': tensor(0.6931)}
        >>> Relativistic().generator(fake + 1, real)  # log(1 + exp(-1))
        {'adversarial': tensor(0.3133)}
    """

    generator_needs_real = True
    pairs_images = True
    boundary = None  # only differences between logits count

    def discriminator(self, d_real: Tensor, d_fake: Tensor) -> Terms:
        """Return the mean of -log σ(D(x) - D(G(z)))."""
        return {"adversarial": softplus(d_fake - d_real).mean()}

    def generator(self, d_fake: Tensor, d_real: Tensor | None = None) -> Terms:
        """Return the mean of -log σ(D(G(z)) - D(x)).

        Raises:
            ValueError: If `d_real` is None.
        """
        if d_real is None:
            raise ValueError("d_real=None: the generator's loss needs the discriminator's outputs on real images")
        return {"adversarial": softplus(d_real - d_fake).mean()}
