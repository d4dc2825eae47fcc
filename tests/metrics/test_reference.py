"""The statistics of real images, and the cache of these statistics."""

import pytest
import torch
from helpers.scores import CPU, Pixels

from ganexp.metrics.frechet import FrechetDistance, fit_gaussian
from ganexp.metrics.reference import load_reference, random_indices, reference_file

IMAGES = torch.randint(0, 256, (100, 1, 2, 2), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def load(images, fingerprint, cache, extractor=None, count=None, **options):
    batches = iter(images.split(30))
    return load_reference(extractor or Pixels(), batches, count or len(images), fingerprint, cache, CPU, **options)


def test_reference_holds_count_sums_and_features(tmp_path):
    real, x = load(IMAGES, "a", tmp_path), IMAGES.flatten(1).double()
    assert (real.fingerprint, real.count) == ("a", 100)
    assert torch.equal(real.features, IMAGES.flatten(1).float())
    assert torch.allclose(real.total, x.sum(0), rtol=1e-12)
    assert torch.allclose(real.outer, x.T @ x, rtol=1e-12)
    other = fit_gaussian(x[:50])
    assert real.distance(*other) == pytest.approx(FrechetDistance(*fit_gaussian(x))(*other), rel=1e-9)


def test_cached_reference_equals_the_computed_one(tmp_path):
    computed = load(IMAGES, "a", tmp_path)
    assert [file.name for file in (tmp_path / "references").iterdir()] == [reference_file(Pixels(), "a", tmp_path).name]
    cached = load(IMAGES[:0], "a", tmp_path, count=100)  # no images are needed for a cached reference
    assert (cached.fingerprint, cached.count) == ("a", 100)
    for name in ("total", "outer", "features"):
        assert torch.equal(getattr(cached, name), getattr(computed, name))


def test_reference_file_depends_on_everything_that_features_depend_on(tmp_path, monkeypatch):
    extractors = {name: Pixels() for name in ("same", "identity", "name", "input")}
    for name in ("identity", "name", "input"):
        setattr(extractors[name], name, "other")
    files = {name: reference_file(extractor, "a", tmp_path) for name, extractor in extractors.items()}
    files |= {"images": reference_file(Pixels(), "b", tmp_path), "kept": reference_file(Pixels(), "a", tmp_path, 7)}
    monkeypatch.setattr(torch, "__version__", "0.0.1")
    files["torch"] = reference_file(Pixels(), "a", tmp_path)
    assert len(set(files.values())) == len(files)


def test_cache_that_cannot_be_written_is_named_before_computing(tmp_path):
    (tmp_path / "file").touch()
    images = iter([])  # without images, a computation would fail
    with pytest.raises(OSError, match="file/references"):
        load_reference(Pixels(), images, 100, "a", tmp_path / "file", CPU)


def test_reference_file_depends_on_images_and_extractor(tmp_path):
    load(IMAGES, "a", tmp_path)
    other_weights, other_name = Pixels(), Pixels()
    other_weights.identity, other_name.name = "2", "others"
    assert load(IMAGES[:60], "a", tmp_path, other_weights).count == 60
    assert load(IMAGES[:70], "a", tmp_path, other_name).count == 70
    assert load(IMAGES[:50], "b", tmp_path).count == 50
    assert load(IMAGES, "a", tmp_path, kept=5).features.shape == (5, 4)


def test_kept_features_are_of_the_selected_images(tmp_path):
    few = load(IMAGES, "a", tmp_path, kept=5)
    assert few.count == 100
    assert few.selected.tolist() == sorted(random_indices(100, 5).tolist())
    assert torch.equal(few.features, IMAGES.flatten(1).float()[few.selected])
    assert load(IMAGES, "a", tmp_path).selected.tolist() == list(range(100))


@pytest.mark.parametrize("period", [1, 2, 3, 10, 1000, 10_000])
def test_kept_images_have_all_kinds_in_any_order(period):
    """Two kinds of images alternate every `period` images; about half of the kept images are of each kind."""
    kinds = torch.arange(20_000) // period % 2
    for kept in (1000, 2000, 10_000):
        chosen = random_indices(20_000, kept)
        assert len(chosen.unique()) == kept
        assert kinds[chosen].float().mean().item() == pytest.approx(0.5, abs=0.05)
    assert kinds[random_indices(20_000, 20_000)[:250]].float().mean().item() == pytest.approx(0.5, abs=0.15)


def test_wrong_count_of_images_is_refused(tmp_path):
    with pytest.raises(ValueError, match="count=110, but the batches hold 100 images"):
        load(IMAGES, "a", tmp_path, count=110)
    assert not (tmp_path / "references").exists()


def test_interrupted_computation_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "save", lambda state, path: path.write_bytes(b"half") and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        load(IMAGES, "a", tmp_path)
    assert list((tmp_path / "references").iterdir()) == []


def test_moved_reference_has_its_distance_on_the_device(tmp_path):
    real = load(IMAGES, "a", tmp_path)
    distance = real.distance
    real.move_to(CPU)
    assert real.distance is distance  # the distance is not computed again
    real.move_to(torch.device("meta"))
    assert {real.total.device.type, real.outer.device.type, real.features.device.type} == {"meta"}
    assert "distance" not in vars(real)
