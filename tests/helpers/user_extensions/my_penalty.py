"""A penalty on large outputs of the discriminator."""


class Drift:
    """weight · E[D(x)²] at real images."""

    def __init__(self, weight: float):
        self.weight = weight

    def __call__(self, discriminator, real, real_labels, fake, fake_labels):
        return self.weight * discriminator(real, real_labels).square().mean()
