"""A user's own module as an extractor."""

import pytest
import torch
from torch import nn

from ganexp.errors import UserError
from ganexp.metrics.extractors import module
from ganexp.metrics.extractors.module import ModuleExtractor

IMAGES = torch.randint(0, 256, (2, 1, 2, 2), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


class Corner(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.dropout = nn.Dropout(0.5)

    def forward(self, images):
        return self.dropout(images[:, 0, :, 0].float() * self.scale)


class WithLogits(Corner):
    name, input, facts = "mine", "as I like it", {"year": 2024}

    def forward(self, images):
        features = super().forward(images)
        return features, torch.cat([features, features], 1)


class Flat(nn.Module):
    def forward(self, images):
        return images.float()


class Few(nn.Module):
    def forward(self, images):
        return images[:1].flatten(1).float()


class BadLogits(nn.Module):
    def forward(self, images):
        return images.flatten(1).float(), [1.0, 2.0]


def test_module_with_features_only():
    extractor = ModuleExtractor(Corner(), IMAGES)
    features, logits = extractor(IMAGES)
    assert torch.equal(features, IMAGES[:, 0, :, 0].float())  # no dropout: the module is in evaluation mode
    assert logits is None
    assert (extractor.name, extractor.feature_dim, extractor.num_logits) == ("corner", 2, None)
    assert (extractor.facts, extractor.knows_labels) == ({}, False)


def test_module_with_logits_and_facts():
    extractor = ModuleExtractor(WithLogits(), IMAGES)
    assert (extractor.feature_dim, extractor.num_logits) == (2, 4)
    assert (extractor.name, extractor.input, extractor.facts) == ("mine", "as I like it", {"year": 2024})
    assert extractor(IMAGES)[1].shape == (2, 4)


def test_identity_depends_on_class_and_weights():
    other = Corner()
    other.scale.data += 1
    modules = (Corner(), other, WithLogits())
    assert len({ModuleExtractor(each, IMAGES).identity for each in modules}) == 3
    assert ModuleExtractor(Corner(), IMAGES).identity == ModuleExtractor(Corner(), IMAGES).identity


def test_identity_depends_on_settings_and_layers():
    plain, other = (ModuleExtractor(Corner(), IMAGES, settings).identity for settings in ("size: 1", "size: 2"))
    deeper = Corner()
    deeper.dropout = nn.Sequential(nn.Dropout(0.5), nn.Flatten())
    assert len({plain, other, ModuleExtractor(deeper, IMAGES, "size: 1").identity}) == 3


@pytest.mark.parametrize("changed", [Corner, nn.Module])
def test_identity_depends_on_the_code_of_bases_but_not_of_torch(monkeypatch, changed):
    """WithLogits inherits from Corner; a change of Corner's code changes the identity of WithLogits."""
    before, getsource = ModuleExtractor(WithLogits(), IMAGES).identity, module.inspect.getsource
    monkeypatch.setattr(module.inspect, "getsource", lambda kind: getsource(kind) + "changed" * (kind is changed))
    assert (ModuleExtractor(WithLogits(), IMAGES).identity != before) == (changed is Corner)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Flat, r"Flat must return its features .*For 2 images, it returned a tensor of shape \[2, 1, 2, 2\]"),
        (Few, r"Few must return its features .*For 2 images, it returned a tensor of shape \[1, 4\]"),
        (BadLogits, r"must return its logits .*For 2 images, it returned a list"),
    ],
)
def test_module_with_other_outputs_is_refused(kind, message):
    with pytest.raises(UserError, match=message):
        ModuleExtractor(kind(), IMAGES)
