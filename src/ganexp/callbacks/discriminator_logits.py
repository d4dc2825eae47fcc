"""D's logits on images that it trains on and on others: where they part, D knows its images by heart."""

import torch
from torch import Tensor

from ganexp.callbacks.evaluation import draw, drawn_labels, sampling
from ganexp.data.images import ImageSet
from ganexp.metrics.reference import selection
from ganexp.training.gan import GAN

LOOKED_AT = 1000  # images of each kind


class LogitWatch:
    """Keeps some images of the set trained on, and of held-out ones where there are any.

    Args:
        sets: by what they are called: train, test.
        unit: whether D sees pixels in [0, 1] instead of [-1, 1].
    """

    def __init__(self, sets: dict[str, ImageSet], unit: bool) -> None:
        self.images, self.labels = {}, {}
        for name, images in sets.items():
            chosen = selection(len(images), LOOKED_AT)
            pixels = images.batch(chosen).float()
            self.images[name] = pixels / 255 if unit else pixels / 127.5 - 1
            self.labels[name] = None if images.labels is None else images.labels[chosen]

    def logits(self, gan: GAN, seed: int) -> dict[str, Tensor]:
        """D's logits (≤ 1000,) on each set and on as many fakes, in eval mode; none of a D that gives no logit."""
        fakes = draw(gan, LOOKED_AT, 250, seed, shown=False)
        judged = {"fake": self._judge(gan, fakes, drawn_labels(gan, LOOKED_AT))}
        for name, images in self.images.items():
            labels = self.labels[name] if gan.num_classes else None
            judged[name] = self._judge(gan, images.split(250), labels)
        return {name: logits for name, logits in judged.items() if logits is not None}

    def __call__(self, gan: GAN, seed: int) -> dict[str, float]:
        """Their means: d_logit/fake, d_logit/train, d_logit/test."""
        return {f"d_logit/{name}": logits.mean().item() for name, logits in self.logits(gan, seed).items()}

    @staticmethod
    def _judge(gan: GAN, batches, labels: Tensor | None) -> Tensor | None:
        found, seen = [], 0
        with sampling(gan.discriminator) as network:
            for images in batches:
                asked = None if labels is None else labels[seen : seen + len(images)].to(gan.device)
                found.append(gan.objective.logit(network, images.to(gan.device), asked))
                seen += len(images)
        return None if found[0] is None else torch.cat(found).float().cpu()
