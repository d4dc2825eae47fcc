"""A penalty on large outputs of the discriminator."""


class FakeOutputs:
    """The penalty E[D(G(z))²], multiplied by `weight`."""

    def __init__(self, weight: float):
        self.weight = weight

    def __call__(self, discriminator, real, real_labels, fake, fake_labels):
        return self.weight * discriminator(fake, fake_labels).square().mean()
