"""A user's own module as an extractor."""

import importlib

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


class Single(nn.Module):
    def forward(self, images):
        return (images.flatten(1).float(),)


class Triple(nn.Module):
    def forward(self, images):
        return (images.flatten(1).float(),) * 3


class FewForLargeBatches(nn.Module):
    def forward(self, images):
        return images[:2].flatten(1).float()


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


EXTRACTOR = """
from torch import nn
SCALE = 1.0
def preprocess(images):
    return images.float() / 255 * SCALE
class Base(nn.Module):
    def forward(self, images):
        return preprocess(images).flatten(1)
"""


@pytest.mark.parametrize("change", [("1.0", "1.05"), ("/ 255", "/ 127.5"), ("flatten(1)", "square().flatten(1)")])
@pytest.mark.parametrize("is_base", [False, True])
def test_identity_depends_on_all_code_of_the_file(tmp_path, monkeypatch, change, is_base):
    """The changed code is a constant, a function or the class, in the file of the extractor or of its base class."""
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / f"{tmp_path.name}.py"
    file.write_text(EXTRACTOR)
    base = importlib.import_module(tmp_path.name).Base
    kind = type("Derived", (base,), {}) if is_base else base
    before = ModuleExtractor(kind(), IMAGES).identity
    assert ModuleExtractor(kind(), IMAGES).identity == before
    file.write_text(EXTRACTOR.replace(*change))
    assert ModuleExtractor(kind(), IMAGES).identity != before


def test_identity_does_not_depend_on_the_code_of_libraries(monkeypatch):
    before, getsource = ModuleExtractor(WithLogits(), IMAGES).identity, module.inspect.getsource
    monkeypatch.setattr(
        module.inspect, "getsource", lambda file: getsource(file) + "changed" * file.__name__.startswith("torch")
    )
    assert ModuleExtractor(WithLogits(), IMAGES).identity == before


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Flat, r"Flat must return its features .*For 2 images, it returned a tensor of shape \[2, 1, 2, 2\]"),
        (Few, r"Few must return its features .*For 2 images, it returned a tensor of shape \[1, 4\]"),
        (Single, "Single must return either features or a pair .* It returned 1 value in a tuple"),
        (Triple, "Triple must return either features or a pair .* It returned 3 values in a tuple"),
        (BadLogits, r"must return its logits .*For 2 images, it returned a list"),
    ],
)
def test_module_with_other_outputs_is_refused(kind, message):
    with pytest.raises(UserError, match=message):
        ModuleExtractor(kind(), IMAGES)


def test_outputs_are_checked_in_every_batch():
    extractor = ModuleExtractor(FewForLargeBatches(), IMAGES)
    with pytest.raises(UserError, match=r"For 3 images, it returned a tensor of shape \[2, 4\]"):
        extractor(IMAGES[[0, 1, 1]])
