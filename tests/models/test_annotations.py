"""Each parameter of a network's constructor has an annotation that states the allowed values."""

import importlib
import inspect
import pkgutil

import pytest
from omegaconf import OmegaConf
from torch import nn

import ganexp.models
from ganexp.config.instantiate import instantiate
from ganexp.errors import UserError
from ganexp.models.latent import Latent

NETWORK_NAMES = ("Generator", "Discriminator", "Classifier")
MODULES = [
    importlib.import_module(f"ganexp.models.{info.name}") for info in pkgutil.iter_modules(ganexp.models.__path__)
]
CONFIGURABLE = [Latent] + [getattr(m, name) for m in MODULES for name in NETWORK_NAMES if hasattr(m, name)]

GENERATOR = {"latent_dim": 4, "resolution": 8, "channels": 1}
DISCRIMINATOR = {"resolution": 8, "channels": 1}
RESNET = {"widths": [8, 8], "halvings": 1}


def test_every_network_is_checked():
    names = {f"{cls.__module__.rpartition('.')[2]}.{cls.__name__}" for cls in CONFIGURABLE}
    pairs = ("mlp", "dcgan", "dcgan_mnist", "dcgan_strided", "progressive", "sngan_cnn", "r3gan", "resnet")
    expected = {f"{module}.{name}" for module in pairs for name in ("Generator", "Discriminator")}
    alone = {"latent.Latent", "classifier.Classifier", "dfm.Discriminator", "autoencoder.Discriminator"}
    alone |= {"dcgan_dropout.Generator"}
    assert names == expected | alone


@pytest.mark.parametrize("cls", CONFIGURABLE, ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
def test_every_parameter_states_its_range(cls):
    """As an annotation, a bare int, float or str says nothing about the allowed values."""
    for name, parameter in inspect.signature(cls, eval_str=True).parameters.items():
        assert parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD, name
        assert parameter.annotation not in (inspect.Parameter.empty, int, float, str, list, list[int]), name


@pytest.mark.parametrize(
    ("target", "arguments", "key", "allowed"),
    [
        ("latent.Latent", {"dim": 4, "distribution": "gauss"}, "distribution", "normal"),
        ("mlp.Generator", GENERATOR | {"hidden": [8], "norm": "layer"}, "norm", "inert"),
        ("mlp.Generator", GENERATOR | {"hidden": []}, "hidden", "1"),
        ("mlp.Discriminator", DISCRIMINATOR | {"hidden": [8], "dropout": 1.0}, "dropout", "1"),
        ("dcgan.Generator", GENERATOR | {"num_classes": 4, "label_code": "two_hot"}, "label_code", "plus_minus"),
        ("dcgan.Discriminator", DISCRIMINATOR | {"norm": "group"}, "norm", "instance"),
        ("dcgan.Discriminator", DISCRIMINATOR | {"head": "linear"}, "head", "projection"),
        ("resnet.Discriminator", DISCRIMINATOR | RESNET | {"spectral_norm": "half"}, "spectral_norm", "fixed_u"),
        ("resnet.Generator", GENERATOR | {"widths": [8, 8], "init": "glorot"}, "init", "xavier"),
        ("resnet.Generator", GENERATOR | {"widths": [8, 0]}, "widths", "1"),
        ("sngan_cnn.Discriminator", DISCRIMINATOR | {"width": 0}, "width", "1"),
    ],
)
def test_values_out_of_range_are_refused(target, arguments, key, allowed):
    node = OmegaConf.create({"_target_": f"ganexp.models.{target}"} | arguments)
    with pytest.raises(UserError, match=rf"(?s)model\.x\.{key}.*{allowed}"):
        instantiate(node, "model.x")


def test_values_in_range_are_built():
    node = OmegaConf.create({"_target_": "ganexp.models.resnet.Discriminator"} | DISCRIMINATOR | RESNET)
    assert isinstance(instantiate(node, "model.x"), nn.Module)
