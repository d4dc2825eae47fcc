"""A penalty on large outputs of the discriminator."""


class FakeOutputs:
    """The penalty weight · E[D(G(z))²]."""

    def __init__(self, weight: float):
        self.weight = weight

    def __call__(self, discriminator, real, real_labels, fake, fake_labels):
        return self.weight * discriminator(fake, fake_labels).square().mean()
