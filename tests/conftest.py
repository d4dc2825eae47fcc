"""Fixtures of all tests.

This file imports torch within functions only, because the process that distributes the tests does not need torch.
"""

import atexit
import gc
import os
import signal

# Two test processes share two cores, so each uses one thread; numpy and torch read these variables at their import.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

gc.disable()  # until all tests are collected
import hypothesis  # noqa: E402
import pytest  # noqa: E402

hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True)  # no deadline, for slow machines
hypothesis.settings.load_profile("repeatable")
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may start background processes with SIGINT ignored
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup makes the process ignore SIGHUP

IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
if IS_WORKER:  # to free millions of objects takes seconds, and a worker has nothing left to do
    atexit.register(os._exit, 0)


def pytest_collection_finish() -> None:
    """Collect garbage less often: each collection searches thousands of living objects of torch and Lightning."""
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)
    gc.enable()


def pytest_unconfigure() -> None:
    """Let the interpreter free all objects when it ends; otherwise, a library reports them as leaked."""
    if IS_WORKER:
        gc.freeze()  # pytest's last search for garbage takes no time
    else:
        gc.unfreeze()


@pytest.fixture(scope="module", autouse=True)
def quick_garbage_collections():
    """Leave out what earlier modules have created and still use, such as libraries, when garbage is collected."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def configs_composed_faster():
    """Let Hydra keep the configs that it has read and merged, so that the next config is composed faster."""
    from helpers import config_cache

    config_cache.install()


@pytest.fixture(scope="session", autouse=True)
def files_not_flushed():
    """Do not wait until a file is on the disk: this matters only if the machine stops."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(autouse=True)
def own_caches(tmp_path_factory, monkeypatch):
    """Keep every test away from the user's caches and from the network."""
    monkeypatch.setenv("GANEXP_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("GANEXP_DATA", str(tmp_path_factory.getbasetemp() / "data"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path_factory.getbasetemp() / "torch"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


@pytest.fixture(scope="session")
def random_inception(tmp_path_factory):
    """Return a file with seeded random weights of torch-fidelity's Inception, whose features depend on the image."""
    import torch
    from helpers.networks import draw_weights
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class RandomInception(FeatureExtractorInceptionV3):
        """torch-fidelity's Inception network that needs no file of weights."""

        def load_state_dict(self, *args, **options):
            pass

    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save({}, path)
    torch.manual_seed(0)
    network = RandomInception("inception-v3-compat", ["2048", "logits_unbiased"], str(path))
    torch.save(draw_weights(network).state_dict(), path)
    return path
