"""Augmentations of the images that the discriminator receives in the updates of both networks and in the penalties.

An augmentation is called with images (N, C, H, W), real, generated or both, and returns images of the same shape.
Gradients flow through it. An augmentation that combines the images of a batch sets the class attributes
`needs_separate_batches` and `mixes_samples` to True. An augmentation with state, such as an adaptive probability, is a
module with buffers. To add an augmentation, write a file here and a YAML file in conf/augment that adds it to `augment`
under its name.
"""
