"""Networks. A generator is G(z, labels) -> images in [-1, 1]; a discriminator is D(images, labels) -> logits."""
