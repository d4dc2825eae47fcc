"""Scores against closed forms and against torch-fidelity; extractors; the caches."""

import math
import multiprocessing
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torchvision.models import inception_v3
from torchvision.transforms.functional import normalize

from ganexp.data import sets
from ganexp.errors import UserError
from ganexp.metrics.extractors import (
    InceptionExtractor,
    TorchvisionInceptionExtractor,
    save_atomically,
    train_classifier,
)
from ganexp.metrics.reference import reference
from ganexp.metrics.scores import Scores, to_uint8
from ganexp.models.classifier import Classifier
from ganexp.plots import grids

CPU = torch.device("cpu")


class Pixels(nn.Module):
    """An extractor whose features are the pixels, and whose logits put all weight on the brightest pixel."""

    name, identity, facts, feature_dim = "pixels", "1", {}, 4

    def forward(self, images):
        flat = images.flatten(1).float()
        return flat, flat


def scorer(real_side, splits, samples=None, **options):
    """Scores against one reference; `samples` as many as its images."""
    return Scores(Pixels(), {"train": real_side}, samples or real_side.count, splits, CPU, **options)


def batches(images, size=50):
    return iter(images.split(size))


def test_to_uint8_rounds_to_the_nearest():
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(levels.float() / 127.5 - 1), levels)
    assert to_uint8(torch.tensor([-1.5, -1.0, 0.0, 1.0, 1.5])).tolist() == [0, 0, 128, 255, 255]


def test_fid_is_the_closed_form_of_two_gaussians(tmp_path):
    """‖μ₁-μ₂‖² + tr(Σ₁ + Σ₂ - 2(Σ₁Σ₂)^½), here with commuting covariances: Σ(√λ₁ - √λ₂)²."""
    generator = torch.Generator().manual_seed(0)
    real = torch.randint(0, 200, (4000, 1, 2, 2), generator=generator, dtype=torch.uint8)
    fake = (real // 2 + 20)[torch.randperm(4000, generator=generator)]
    real_side = reference(Pixels(), batches(real), len(real), "real", tmp_path, CPU)
    values = scorer(real_side, 10)(batches(fake.float() / 127.5 - 1))
    x, y = (t.flatten(1).double() for t in (real, fake))
    s1, s2 = torch.cov(x.T), torch.cov(y.T)
    eigenvalues, vectors = torch.linalg.eigh(s1)
    root = vectors @ eigenvalues.sqrt().diag() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ s2 @ root).clamp_min(0).sqrt().sum()
    expected = (x.mean(0) - y.mean(0)).square().sum() + s1.trace() + s2.trace() - 2 * cross
    assert values["fid_pixels"] == pytest.approx(expected.item(), rel=1e-6)


def test_fid_of_a_set_with_itself_is_zero(tmp_path):
    real = torch.randint(0, 256, (1000, 1, 2, 2), dtype=torch.uint8)
    real_side = reference(Pixels(), batches(real), len(real), "same", tmp_path, CPU)
    assert scorer(real_side, 10)(batches(real / 127.5 - 1))["fid_pixels"] == pytest.approx(0, abs=1e-3)


def test_inception_score_of_certain_and_of_uncertain_classes(tmp_path):
    certain = torch.zeros(400, 1, 2, 2)
    certain.view(400, 4)[torch.arange(400), torch.arange(400) % 4] = 1  # four classes, each surely one
    certain = certain * 2 - 1
    real_side = reference(Pixels(), batches(to_uint8(certain)), len(certain), "is", tmp_path, CPU)
    scores = scorer(real_side, 2)
    assert scores(batches(certain))["is_pixels"] == pytest.approx(4, rel=0.01)
    assert scores(batches(torch.zeros(400, 1, 2, 2)))["is_pixels"] == pytest.approx(1, abs=1e-6)


def test_scores_are_repeatable_and_leave_the_random_state_alone(tmp_path):
    images = torch.rand(300, 1, 2, 2) * 2 - 1
    real_side = reference(Pixels(), batches(to_uint8(images)), len(images), "state", tmp_path, CPU)
    scores = scorer(real_side, 3)
    before = torch.get_rng_state()
    first = scores(batches(images))
    assert torch.equal(torch.get_rng_state(), before)
    assert scores(batches(images)) == first


def test_references_are_found_by_content_and_extractor(tmp_path):
    images = torch.randint(0, 256, (100, 1, 2, 2), dtype=torch.uint8)
    made = reference(Pixels(), batches(images), 100, "a", tmp_path, CPU)
    found = reference(Pixels(), iter(()), 100, "a", tmp_path, CPU)  # no images needed any more
    assert all(torch.equal(made.sums[name], found.sums[name]) for name in made.sums)
    assert torch.equal(made.features, found.features)
    assert (made.count, found.fingerprint) == (100, "a")
    other = Pixels()
    other.identity = "2"
    assert reference(other, batches(images[:60]), 60, "a", tmp_path, CPU).count == 60
    assert reference(Pixels(), batches(images[:50]), 50, "b", tmp_path, CPU).count == 50
    few = reference(Pixels(), batches(images, 30), 100, "a", tmp_path, CPU, kept=5)
    assert few.count == 100
    assert torch.equal(few.features, images.flatten(1).float()[[0, 24, 49, 74, 99]])


def test_save_atomically_leaves_no_part(tmp_path):
    save_atomically({"a": torch.ones(1)}, tmp_path / "new" / "x.pt")
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["x.pt"]


def write_often(path):
    for value in range(40):
        save_atomically({"a": torch.full((20_000,), float(value))}, path)


def test_a_reader_never_meets_half_a_file_of_several_writers(tmp_path):
    path = tmp_path / "x.pt"
    write_often(path)
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=write_often, args=(path,)) for _ in range(2)]
    for writer in writers:
        writer.start()
    reads = 0
    while any(writer.is_alive() for writer in writers):
        found = torch.load(path, weights_only=True)["a"]
        assert (found == found[0]).all()
        reads += 1
    assert reads > 3
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert [p.name for p in tmp_path.iterdir()] == ["x.pt"]


@pytest.fixture(scope="module")
def digits():
    return sets.digits("", "train", 8, 1), sets.digits("", "test", 8, 1)


def trained(digits, cache, updates, network=None):
    train, test = digits
    return train_classifier(
        network or Classifier(8, 1, 10), train.images, train.labels, test.images, test.labels,
        updates=updates, batch_size=128, lr=0.01, seed=0, cache=cache, key="key", device=CPU,
    )  # fmt: skip


def test_classifier_knows_the_digits(digits, tmp_path):
    extractor = trained(digits, tmp_path, updates=400)
    assert extractor.facts["classifier_test_accuracy"] >= 0.97
    features, logits = extractor(digits[1].images)
    assert features.shape == (359, 64)
    by_hand = (logits.argmax(1) == digits[1].labels).float().mean().item()
    assert by_hand == pytest.approx(extractor.facts["classifier_test_accuracy"])


def test_classifier_is_trained_once_and_apart_from_the_run(digits, tmp_path):
    network = Classifier(8, 1, 10)
    before = torch.get_rng_state()
    first = trained(digits, tmp_path, updates=3, network=network)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(99)
    again = trained(digits, tmp_path / "elsewhere", updates=3)
    assert again.identity == first.identity
    cached = trained(digits, tmp_path, updates=3)
    assert cached.identity == first.identity
    assert cached.facts == first.facts
    assert not cached.network.training


def test_inception_is_torch_fidelitys(random_inception):
    extractor = InceptionExtractor(str(random_inception))
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    theirs = FeatureExtractorInceptionV3("inception-v3-compat", ["2048", "logits_unbiased"], str(random_inception))
    with torch.no_grad():
        for ours, reference in zip(extractor(images), theirs(images), strict=True):
            assert torch.allclose(ours, reference, rtol=1e-4, atol=1e-6 * reference.abs().max().item())
    grey = images[:, :1]
    assert torch.equal(extractor(grey)[0], extractor(grey.repeat(1, 3, 1, 1))[0])
    assert len(extractor.identity) == 64


class Payload:
    def __reduce__(self):
        return (print, ("code ran",))


@pytest.mark.parametrize("content", [b"not a file of torch", "payload", "other"])
def test_inception_refuses_what_is_no_weights(tmp_path, content, capsys):
    path = tmp_path / "weights.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save({"fc.weight": Payload()} if content == "payload" else {"a": torch.ones(1)}, path)
    with pytest.raises(UserError, match="does not hold Inception weights"):
        InceptionExtractor(str(path))
    assert "code ran" not in capsys.readouterr().out


def test_inception_without_weights_says_where_to_put_them(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        InceptionExtractor(str(tmp_path / "none.pth"))
    with pytest.raises(UserError, match=r"downloading them failed(.|\n)*metrics.weights=FILE(.|\n)*metrics=none"):
        InceptionExtractor(None)


def test_interpolation_ends_and_length():
    torch.manual_seed(0)
    a, b = torch.randn(3, 128), torch.randn(3, 128)
    for spherical in (False, True):
        walk = grids.interpolate(a, b, 5, spherical)
        assert walk.shape == (3, 5, 128)
        assert torch.allclose(walk[:, 0], a, atol=1e-5)
        assert torch.allclose(walk[:, -1], b, atol=1e-5)
    assert torch.allclose(grids.interpolate(a, b, 5)[:, 2], (a + b) / 2)
    x, y = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    middle = grids.interpolate(x, y, 3, spherical=True)[0, 1]
    assert torch.allclose(middle, torch.full((2,), math.sqrt(0.5)))


def test_grid_and_files(tmp_path):
    from torchvision.io import read_image

    images = torch.full((6, 1, 8, 8), -1.0)
    images[4] = 1.0
    picture = grids.grid(images, columns=3)
    assert picture.shape == (3, 2 * 50 + 2, 3 * 50 + 2)  # 8 pixels shown as 48, with 2 between
    assert picture[:, 52:100, 52:100].min() == 255
    assert picture[:, 2:50, 2:50].max() == 0
    grids.save(picture, tmp_path / "a" / "grid.png")
    assert torch.equal(read_image(str(tmp_path / "a" / "grid.png")), picture)
    grids.save_single(images[4], tmp_path / "one.png")
    assert read_image(str(tmp_path / "one.png")).shape == (1, 8, 8)


def test_accuracy_is_the_share_in_their_class(tmp_path):
    images = torch.full((40, 1, 2, 2), -1.0)
    labels = torch.arange(40) % 4
    images.flatten(1)[torch.arange(40), labels] = 1.0  # the brightest pixel is the class
    real_side = reference(Pixels(), batches(to_uint8(images)), len(images), "quarters", tmp_path, CPU)
    scores = scorer(real_side, 2)
    assert "accuracy_pixels" not in scores(batches(images), labels)  # Pixels does not say that it knows the labels
    scores.extractor.knows_labels = True
    assert scores(batches(images, 7), labels)["accuracy_pixels"] == 1
    assert scores(batches(images), (labels + (torch.arange(40) < 10)) % 4)["accuracy_pixels"] == 0.75
    assert "accuracy_pixels" not in scores(batches(images))


def test_one_split_has_no_spread(tmp_path):
    images = torch.rand(40, 1, 2, 2) * 2 - 1
    real_side = reference(Pixels(), batches(to_uint8(images)), len(images), "one", tmp_path, CPU)
    values = scorer(real_side, 1)(batches(images))
    p = to_uint8(images).flatten(1).double().softmax(1)
    expected = (p * (p / p.mean(0)).clamp_min(1e-300).log()).sum(1).mean().exp().item()
    assert list(values) == ["is_pixels", "fid_pixels"]
    assert values["is_pixels"] == pytest.approx(expected, rel=1e-4)


def test_inception_torchvision_is_the_articles_scaling(tmp_path):
    torch.manual_seed(0)
    network = inception_v3(init_weights=False, transform_input=False).eval()
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    extractor = TorchvisionInceptionExtractor(str(tmp_path / "weights.pth"))
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    scaled = normalize(images.float() / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    with torch.no_grad():
        expected = network(interpolate(scaled, (299, 299), mode="bilinear", align_corners=True))
    features, logits = extractor(images)
    assert torch.allclose(logits, expected, rtol=1e-4, atol=1e-5)
    assert (features.shape, logits.shape) == ((2, 2048), (2, 1000))
    assert (extractor.name, len(extractor.identity)) == ("inception_torchvision", 64)
    assert extractor(images[:, :1])[1].shape == (2, 1000)
    other = network.state_dict()
    del other["fc.bias"]
    torch.save(other, tmp_path / "other.pth")
    with pytest.raises(UserError, match=r"does not fit torchvision's Inception-v3"):
        TorchvisionInceptionExtractor(str(tmp_path / "other.pth"))
    with pytest.raises(UserError, match=r"does not fit torch-fidelity's Inception-v3"):
        InceptionExtractor(str(tmp_path / "weights.pth"))  # the other network's weights
    with pytest.raises(UserError, match=r"inception_v3_google(.|\n)*metrics.weights=FILE"):
        TorchvisionInceptionExtractor(None)


MEMORY = """
import resource, sys, torch
from pathlib import Path
from ganexp.metrics.reference import reference
from ganexp.metrics.scores import Scores

class Wide(torch.nn.Module):
    name, identity, facts, feature_dim, input = "wide", "1", {}, 512, ""
    def forward(self, images):
        features = torch.randn(len(images), 512)
        return features, features[:, :10]

def batches(count):
    return (torch.zeros(500, 1, 2, 2) for _ in range(count // 500))

side = reference(Wide(), (b.byte() for b in batches(5000)), 5000, "real", Path(sys.argv[1]), torch.device("cpu"))
for count in (5000, 50_000):
    Scores(Wide(), {"train": side}, count, 10, torch.device("cpu"))(batches(count))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_memory_of_is_and_fid_does_not_grow_with_the_samples(tmp_path):
    """At ten times the samples their features would take 92 MB more."""
    words = [sys.executable, "-c", MEMORY, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    few, many = map(int, done.stdout.split())
    assert many - few < 40
