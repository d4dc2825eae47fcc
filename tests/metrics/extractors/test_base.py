"""What all feature extractors have in common."""

import torch
from torch import nn

from ganexp.metrics.extractors.base import Extractor, hash_weights, repeat_grey


class Linear(Extractor):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def extract(self, images):
        return self.linear(images.flatten(1).float()), None


def test_extractor_ignores_autocast_and_takes_no_gradients():
    extractor, images = Linear(), torch.randint(0, 256, (5, 1, 2, 2), dtype=torch.uint8)
    expected = extractor.linear(images.flatten(1).float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert extractor.linear(images.flatten(1).float()).dtype == torch.bfloat16
        features, logits = extractor(images)
    assert torch.equal(features, expected)
    assert not features.requires_grad
    assert logits is None


def test_hash_depends_on_names_and_values_of_weights():
    state = {"a": torch.ones(2), "b": torch.zeros(2)}
    others = ({"a": torch.ones(2), "c": torch.zeros(2)}, {"a": torch.ones(2), "b": torch.tensor([0, 1e-7])})
    assert len({hash_weights(state), *map(hash_weights, others)}) == 3
    assert hash_weights(dict(reversed(state.items()))) == hash_weights(state)
    assert len(hash_weights(state)) == 64


def test_grey_is_repeated_and_colour_stays():
    grey, colour = torch.rand(2, 1, 4, 4), torch.rand(2, 3, 4, 4)
    assert torch.equal(repeat_grey(grey), torch.cat([grey, grey, grey], 1))
    assert repeat_grey(colour) is colour
