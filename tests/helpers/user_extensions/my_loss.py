"""A least-squares loss with the targets 1 and -1."""


class Quadratic:
    """D minimises (D(x) - 1)² + (D(G(z)) + 1)², and G minimises (D(G(z)) - 1)²."""

    def discriminator(self, d_real, d_fake):
        return {"quadratic_real": (d_real - 1).square().mean(), "quadratic_fake": (d_fake + 1).square().mean()}

    def generator(self, d_fake, d_real=None):
        return {"quadratic": (d_fake - 1).square().mean()}
