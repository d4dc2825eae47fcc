"""What the tests share: a config composed in process, and the real command line in a folder of its own."""

import pytest
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

torch.set_num_threads(1)  # two test processes, two cores


@pytest.fixture(autouse=True)
def own_caches(tmp_path_factory, monkeypatch):
    """No test reads or writes the user's caches, and none reaches a network."""
    monkeypatch.setenv("GANEXP_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("GANEXP_DATA", str(tmp_path_factory.getbasetemp() / "data"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path_factory.getbasetemp() / "torch"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


@pytest.fixture(scope="session")
def random_inception(tmp_path_factory):
    """Inception with seeded random weights in a file of the true form."""
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.manual_seed(0)
    build = FeatureExtractorInceptionV3.__init__
    network = FeatureExtractorInceptionV3.__new__(FeatureExtractorInceptionV3)
    original = torch.load
    try:
        FeatureExtractorInceptionV3.load_state_dict = lambda self, state, **kw: None
        torch.load = lambda *args, **kw: {}
        build(network, "inception-v3-compat", ["2048", "logits_unbiased"], "none")
    finally:
        del FeatureExtractorInceptionV3.load_state_dict
        torch.load = original
    torch.save(network.state_dict(), path)
    return path
