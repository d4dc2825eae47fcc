"""Log the discriminator's mean logit and probability on training, held-out and generated images.

A growing gap between training and held-out images indicates that the discriminator overfits.
"""

from collections.abc import Iterable, Mapping

import torch
from pytorch_lightning import Callback, Trainer
from torch import Tensor

from ganexp import log_keys
from ganexp.autocast import without_autocast
from ganexp.data.images import ImageSet
from ganexp.metrics.reference import random_indices
from ganexp.pixels import from_uint8
from ganexp.random_numbers import separate_random_numbers
from ganexp.sampling import EVALUATION_SEED, sample_images, sample_labels, sampling_mode
from ganexp.training.gan import GAN

IMAGES = 1000  # number of images of each kind
BATCH = 250


class DiscriminatorLogits(Callback):
    """Compute the discriminator's logits on up to 1,000 images of each kind, and log their means.

    For losses in which the discriminator estimates a probability, such as `NonSaturating`, the mean of sigmoid(logit)
    is logged, too: the discriminator's probability that an image is real.

    Args:
        image_sets: the sets of real images: `train`, and `test` if there are held-out images.
    """

    def __init__(self, image_sets: Mapping[str, ImageSet]) -> None:
        self.pixels: dict[str, Tensor] = {}
        self.labels: dict[str, Tensor | None] = {}
        first = next(iter(image_sets.values()), None)
        self.class_counts = [] if first is None else first.class_counts
        for name, image_set in image_sets.items():
            chosen = random_indices(len(image_set), IMAGES)
            self.pixels[name] = image_set.batch(chosen)
            self.labels[name] = None if image_set.labels is None else image_set.labels[chosen]

    def on_validation_end(self, trainer: Trainer, pl_module: GAN) -> None:
        """Log the mean logits, such as d_logit/fake, and mean probabilities if the discriminator estimates them."""
        logits = self.logits(pl_module, EVALUATION_SEED)
        if not logits:
            return
        means = {log_keys.logit_key(name): values.mean().item() for name, values in logits.items()}
        if getattr(pl_module.objective.adversarial, "estimates_probability", False):
            means |= {log_keys.probability_key(name): values.sigmoid().mean().item() for name, values in logits.items()}
        pl_module.log_values(means)

    def logits(self, gan: GAN, seed: int) -> dict[str, Tensor]:
        """Return up to 1,000 logits for each kind of image, on the CPU.

        The logits of generated images have the key `fake`. The logits of a set of real images have the name of the set
        as key. The logits are computed in eval mode. Generated images have the same class shares as the first image
        set. If the discriminator is conditional, sets of images that have no classes are left out. The result is empty
        if the discriminator returns vectors instead of single logits.
        """
        labels = sample_labels(IMAGES, self.class_counts or [1] * gan.num_classes) if gan.num_classes else None
        fakes = sample_images(gan, IMAGES, BATCH, seed, as_discriminator_sees=True, labels=labels)
        logits = {"fake": _discriminate(gan, fakes, labels)}
        for name, pixels in self.pixels.items():
            if gan.num_classes and self.labels[name] is None:
                continue  # a conditional discriminator needs the class of an image
            images = (from_uint8(part, gan.pixel_range) for part in pixels.split(BATCH))
            logits[name] = _discriminate(gan, images, self.labels[name] if gan.num_classes else None)
        return {name: values for name, values in logits.items() if values is not None}


def _discriminate(gan: GAN, batches: Iterable[Tensor], labels: Tensor | None) -> Tensor | None:
    logits, start = [], 0
    half_precision_off = without_autocast(gan.device)
    own_numbers = separate_random_numbers(EVALUATION_SEED, gan.device)
    with sampling_mode(gan.discriminator) as discriminator, half_precision_off, own_numbers:
        for images in batches:
            asked = None if labels is None else labels[start : start + len(images)].to(gan.device)
            logits.append(gan.objective.logit(discriminator, images.to(gan.device), asked))
            start += len(images)
    known = [part for part in logits if part is not None]
    return torch.cat(known).float().cpu() if known else None


def probability_greater(first: Tensor, second: Tensor) -> float:
    """Return the probability that a value of `first` (N,) is greater than one of `second` (M,); ties count half (AUC).

    A result of 0.5 means that the values do not separate the two groups.
    """
    greater = (first[:, None] > second[None]).double() + 0.5 * (first[:, None] == second[None])
    return greater.mean().item()
