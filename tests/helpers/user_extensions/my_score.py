"""The mean of all pixels of the samples."""

import torch

from ganexp.metrics.score import Score


class MeanPixel(Score):
    """The mean of all pixels, which lie in [-1, 1]."""

    def __init__(self, context):
        super().__init__(context)
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(()), dist_reduce_fx="sum")

    def update(self, images):
        self.total += images.sum()
        self.count += images.numel()

    def compute(self):
        return {"mean_pixel": self.total / self.count}

    def value_names(self):
        return ["mean_pixel"]
