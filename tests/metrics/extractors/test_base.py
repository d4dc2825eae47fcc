"""What all feature extractors have in common."""

import hashlib

import pytest
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


class Converted(Extractor):
    """An extractor that returns features and logits in another precision than float32."""

    def __init__(self, dtype):
        super().__init__()
        self.dtype = dtype

    def extract(self, images):
        flat = images.flatten(1).to(self.dtype)
        return flat, flat


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_features_and_logits_are_float32(dtype):
    images = torch.randint(0, 256, (5, 1, 2, 2), dtype=torch.uint8)
    for values in Converted(dtype)(images):
        assert values.dtype == torch.float32
        assert torch.equal(values, images.flatten(1).float())


NUMPY_TYPES = [torch.float64, torch.float32, torch.float16, torch.int64, torch.uint8, torch.bool, torch.complex64]


@pytest.mark.parametrize("dtype", NUMPY_TYPES)
@pytest.mark.parametrize("shape", [(), (0,), (2, 3)])
def test_hash_is_that_of_the_bytes_in_memory(dtype, shape):
    """The identities of extractors that earlier runs have recorded must not change."""
    values = torch.full(shape, 1, dtype=dtype)
    assert hash_weights({"a": values}) == hashlib.sha256(b"a" + values.numpy().tobytes()).hexdigest()
    turned = torch.arange(6).reshape(2, 3).T.to(dtype)
    assert hash_weights({"a": turned}) == hashlib.sha256(b"a" + turned.numpy().tobytes()).hexdigest()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn])
def test_weights_of_types_that_numpy_lacks_have_a_hash(dtype):
    ones, twos = ({"a": torch.full((3,), value).to(dtype)} for value in (1.0, 2.0))
    assert hash_weights(ones) == hash_weights(ones) != hash_weights(twos)


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
