"""Fixtures of all tests."""

import pytest
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

torch.set_num_threads(1)  # two test processes, two cores


@pytest.fixture(autouse=True)
def own_caches(tmp_path_factory, monkeypatch):
    """Keep every test away from the user's caches and from the network."""
    monkeypatch.setenv("GANEXP_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("GANEXP_DATA", str(tmp_path_factory.getbasetemp() / "data"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path_factory.getbasetemp() / "torch"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


class RandomInception(FeatureExtractorInceptionV3):
    """torch-fidelity's Inception, whose weights stay as they were drawn instead of those of its file."""

    def load_state_dict(self, *args, **options):
        pass


@pytest.fixture(scope="session")
def random_inception(tmp_path_factory):
    """Return a file with seeded random weights of torch-fidelity's Inception."""
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save({}, path)
    torch.manual_seed(0)
    network = RandomInception("inception-v3-compat", ["2048", "logits_unbiased"], str(path))
    torch.save(network.state_dict(), path)
    return path
