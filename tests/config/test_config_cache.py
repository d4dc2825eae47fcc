"""The functions that make Hydra and OmegaConf faster in tests do not change the composed configs."""

from pathlib import Path

import pytest
from helpers import config_cache
from helpers.config import composed
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ganexp.config import schema

pytestmark = pytest.mark.slow

CHOICES = (
    (),
    ("seed=7",),
    ("experiment=sagan/cifar10_2", "as_published=sagan"),
    ("model=dcgan", "data=mnist", "callbacks=[default,guard]", "loss/penalty=r1", "+trainer.profiler=simple"),
    ("model=dcgan", "data=mnist", "callbacks=[default,guard]", "seed=7", "name='a b'", "~logger.tensorboard"),
)
VALUES = (
    {"a": [1, {"b": 2.5, "c": None}, [], "???"], "d": {}, "e": True, "f": b"x"},
    {"interpolated": "${a}", "a": ["${b}", 1], "b": {"c": "x${a}"}},
    {2: "a", True: {2.5: "b"}},
    {"pair": (1, (2, 3)), "path": Path("a"), "whole": schema.Train},
    [1, [2, {"a": "b"}]],
)
WRONG_VALUES = ({"a": {"b": ["${"]}}, {"a": {"b": object()}}, {"a": [{(1, 2): 3}]})


@pytest.fixture
def with_and_without():
    """Return a function that calls a function without and with the faster functions, and returns both results."""

    def both(function, *arguments):
        config_cache.uninstall()
        try:
            expected = function(*arguments)
        finally:
            config_cache.install()
        return expected, function(*arguments)

    return both


def attributes(node, parent=None):
    """Return the class and all attributes of a node and of the nodes below it; also check the parent of each node."""
    found = {name: value for name, value in vars(node).items() if name not in ("_parent", "_flags_cache")}
    # `resolver_cache` is left out, because it holds only times, such as the time of the composition.
    found["_metadata"] = {name: value for name, value in vars(node._metadata).items() if name != "resolver_cache"}
    content = found.get("_content")
    items = enumerate(content) if isinstance(content, list) else content.items() if isinstance(content, dict) else ()
    if items:
        del found["_content"]
    assert node._get_parent() is parent
    return type(node), found, [(type(key), key, attributes(value, node)) for key, value in items]


def composed_forms(overrides):
    """Return the attributes of a composed config, its copy, and its resolved form."""
    cfg = composed(overrides)
    return [attributes(each) for each in (cfg, cfg.copy(), schema.resolve(cfg))]


def test_composed_configs_are_the_same(with_and_without, tmp_path):
    choices = (*CHOICES, own_loss(tmp_path, n_critic=2))

    def composed_twice():
        return [composed_forms(overrides) for overrides in 2 * choices]  # the first compositions fill the cache

    expected, ours = with_and_without(composed_twice)
    assert ours == expected


def test_files_in_a_users_own_directory_are_read_again(tmp_path):
    for n_critic in (2, 3):
        assert composed(own_loss(tmp_path, n_critic)).loss.n_critic == n_critic


def own_loss(directory, n_critic):
    """Write a config file of a user's own loss to `directory`, and return the overrides that choose this loss."""
    (directory / "loss").mkdir(exist_ok=True)
    (directory / "loss" / "mine.yaml").write_text(f"defaults: [hinge, _self_]\nn_critic: {n_critic}\n")
    return f"hydra.searchpath=['file://{directory}']", "loss=mine"


@pytest.mark.parametrize("value", VALUES)
def test_created_nodes_are_the_same(with_and_without, value):
    expected, ours = with_and_without(lambda: attributes(OmegaConf.create(value, flags={"allow_objects": True})))
    assert ours == expected


@pytest.mark.parametrize("value", WRONG_VALUES)
def test_errors_are_the_same(with_and_without, value):
    def message():
        with pytest.raises(OmegaConfBaseException) as error:
            OmegaConf.create(value)
        return str(error.value)

    expected, ours = with_and_without(message)
    assert ours == expected


def test_copies_share_nothing(with_and_without):
    def changed():
        first = OmegaConf.create({"a": {"b": [1, 2]}, "c": 3})
        second = first.copy()
        OmegaConf.set_readonly(second.a, True)
        second.c, first.a.b[0] = 4, 5
        return [attributes(each) for each in (first, second)]

    expected, ours = with_and_without(changed)
    assert ours == expected
