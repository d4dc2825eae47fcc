"""Augmentations of the images that the discriminator receives in the updates of both networks and in the penalties.

An augmentation is called with a batch of images (N, C, H, W), which may be real, generated or a mixture of both. The
augmentation returns images of the same shape, and gradients flow through it. An augmentation that combines the images
of a batch sets the class attributes `needs_separate_batches` and `mixes_samples` to True. An augmentation that keeps a
number between calls, such as an adaptive probability, is an `nn.Module` that stores this number in a buffer.

To add an augmentation, write its class in a new file in this directory. Also write a YAML file in conf/augment that
adds an entry for the class to `augment`.
"""
