"""Configs are the same with and without the tests' cache of config files."""

from helpers import config_cache
from helpers.config import composed
from omegaconf import OmegaConf

CHOICES = (
    (),
    ("experiment=sagan/cifar10_2", "as_published=sagan"),
    ("model=dcgan", "data=mnist", "callbacks=[default,guard]", "loss/penalty=r1", "+trainer.profiler=simple"),
)


def test_remembered_config_files_compose_the_same_config():
    for overrides in CHOICES:
        config_cache.uninstall()
        expected = OmegaConf.to_yaml(composed(overrides))
        config_cache.install()
        for _ in range(2):  # the first composition fills the cache
            assert OmegaConf.to_yaml(composed(overrides)) == expected
