"""The jobs that a sweep runs in one process free their memory, so that the used memory does not grow."""

import gc
import weakref
from unittest import mock

import pytest
import torch
from helpers.cli import ganexp
from helpers.device_cases import CASES, CHOICES

from ganexp import build

ONE_MEBIBYTE = 2**20
NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU")


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cpu", pytest.param("gpu", marks=NEEDS_GPU)])
def test_jobs_of_a_sweep_release_their_networks(device, tmp_path):
    built, alive, allocated = [], [], []
    build_gan = build.build_gan

    def watched(cfg):
        alive.append(sum(gan() is not None for gan in built))
        allocated.append(torch.cuda.memory_allocated() if device == "gpu" else 0)
        gan = build_gan(cfg)
        built.append(weakref.ref(gan))
        return gan

    gc.collect()  # free what other tests have left
    if device == "gpu":
        torch.cuda.empty_cache()
    length = ("schedule.steps=2", "schedule.evaluate_every=2", "callbacks=none", f"trainer={device}")
    sweep = ("-m", "seed=1,2,3", "hydra.sweep.dir=sweep")
    with mock.patch.object(build, "build_gan", watched):
        ganexp(*sweep, *CHOICES, *CASES["mlp"], *length, cwd=tmp_path)
    assert alive == [0, 0, 0]
    assert allocated[-1] - allocated[0] < ONE_MEBIBYTE  # other tests may still hold memory at the start
