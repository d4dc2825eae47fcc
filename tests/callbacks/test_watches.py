"""Watches: D's logits, the nearest training images, collapse; and scores by class."""

import json
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from helpers.cli import ganexp
from helpers.config import TINY, config
from PIL import Image
from torch import nn

from ganexp import build, measure
from ganexp.callbacks import evaluation
from ganexp.callbacks.discriminator_logits import LogitWatch
from ganexp.callbacks.evaluation import draw, truncate
from ganexp.data.images import ImageSet
from ganexp.metrics.diversity import class_shares, mean_distances
from ganexp.metrics.frechet import FrechetDistance, gaussian
from ganexp.metrics.reference import reference
from ganexp.metrics.scores import Scores
from ganexp.plots.diagnostics import draw_watches, nearest, nearest_picture, prefers

CPU = torch.device("cpu")


class Pixels(nn.Module):
    """Features are pixels; the class is the brightest."""

    name, identity, facts, feature_dim, input, knows_labels = "pixels", "1", {}, 4, "", True

    def forward(self, images):
        flat = images.flatten(1).float()
        return flat, flat


def images(count, seed=0):
    return torch.rand(count, 1, 2, 2, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def uint8(x):
    return ((x + 1) * 127.5).round().to(torch.uint8)


def test_distances_within_and_between_classes():
    features = torch.tensor([[0.0], [1.0], [10.0], [13.0]])
    found = mean_distances(features, torch.tensor([0, 0, 1, 1]))
    assert found["distance_within"] == pytest.approx((1 + 3) / 2)
    assert found["distance_between"] == pytest.approx((10 + 13 + 9 + 12) / 4)
    assert found["distance"] == pytest.approx((1 + 3 + 10 + 13 + 9 + 12) / 6)
    assert mean_distances(features) == {"distance": found["distance"]}
    assert class_shares(torch.tensor([2, 0, 2, 2]), 4).tolist() == [0.25, 0, 0.75, 0]


def test_diversity_is_one_for_the_real_images_and_none_for_one_image(tmp_path):
    real = images(300)
    side = reference(Pixels(), iter([uint8(real)]), 300, "real", tmp_path, CPU)
    scores = Scores(Pixels(), {"train": side}, 300, 1, CPU, names=("diversity",))
    assert scores(iter([real]))["distance_pixels"] == pytest.approx(1, rel=1e-4)
    assert sum(scores.by_class["share"]) == pytest.approx(1)
    assert scores(iter([real[:1].expand(300, -1, -1, -1)]))["distance_pixels"] == pytest.approx(0, abs=1e-5)
    brightest = scores.by_class["share"]
    assert sorted(brightest) == [0, 0, 0, 1]


def test_intra_fid_is_the_mean_of_the_classes_fids(tmp_path):
    real, fake = images(400), images(200, seed=1)
    labels, real_labels = torch.arange(200) % 4, torch.arange(400) % 4

    def of_class(c):
        return reference(Pixels(), iter([uint8(real[real_labels == c])]), 100, f"class {c}", tmp_path, CPU)

    whole = reference(Pixels(), iter([uint8(real)]), 400, "all", tmp_path, CPU)
    scores = Scores(Pixels(), {"train": whole}, 200, 1, CPU, names=("intra_fid",), class_reference=of_class)
    values = scores(iter(fake.split(30)), labels)
    expected = []
    for c in range(4):
        x, y = (uint8(t).flatten(1).double() for t in (real[real_labels == c], fake[labels == c]))
        distance = FrechetDistance(*gaussian(x.sum(0), x.T @ x, len(x)))
        expected.append(distance(*gaussian(y.sum(0), y.T @ y, len(y))))
    assert scores.by_class["fid"] == pytest.approx(expected, rel=1e-4)
    assert values["intra_fid_pixels"] == pytest.approx(np.mean(expected), rel=1e-4)


def test_intra_fid_without_classes_is_refused():
    cfg = config("metrics.scores=[intra_fid]")
    with pytest.raises(Exception, match=r"model\.conditional=true"):
        measure.build_scores(cfg, None, CPU)


def test_protocol_tells_rulers_apart(tmp_path):
    side = reference(Pixels(), iter([uint8(images(50))]), 50, "a", tmp_path, CPU)
    other = reference(Pixels(), iter([uint8(images(50, 1))]), 50, "b", tmp_path, CPU)
    ids = [
        Scores(Pixels(), {"train": reference_}, samples, splits, CPU).protocol()["id"]
        for reference_, samples, splits in ((side, 40, 2), (other, 40, 2), (side, 41, 2), (side, 40, 4))
    ]
    assert len(set(ids)) == 4
    assert Scores(Pixels(), {"train": side}, 40, 2, CPU).protocol()["id"] == ids[0]


def watched(*words, test=True):
    gan = build.build_gan(config("data=fake", "data.resolution=8", "data.channels=1", "model=mlp", *words))
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (2, 30, 1, 8, 8), generator=generator, dtype=torch.uint8)
    sets = {name: ImageSet(x, torch.arange(30) % 10, list("0123456789")) for name, x in zip("ab", pixels, strict=True)}
    return gan, LogitWatch(sets, unit=False), pixels


def test_logits_are_ds_own_and_leave_everything_as_it_was():
    gan, watch, pixels = watched("loss=hinge", "model.discriminator.dropout=0.5")
    gan.discriminator.train()
    before = torch.get_rng_state()
    found = watch.logits(gan, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(module.training for module in gan.discriminator.modules())
    gan.discriminator.eval()
    with torch.no_grad():
        assert torch.allclose(found["a"], gan.discriminator(pixels[0] / 127.5 - 1, None), atol=1e-5)
        fakes = torch.cat(list(draw(gan, 1000, 250, 3)))
        assert torch.allclose(found["fake"], gan.discriminator(fakes, None), atol=1e-5)
    assert watch(gan, 3)["d_logit/a"] == pytest.approx(found["a"].mean().item())


def test_a_discriminator_that_learnt_its_images_by_heart_shows():
    gan, watch, pixels = watched("loss=non_saturating", "model.conditional=true")
    optimizer = torch.optim.Adam(gan.discriminator.parameters(), 1e-3)
    for _ in range(60):
        logits = [gan.discriminator(x / 127.5 - 1, torch.arange(30) % 10) for x in pixels]
        optimizer.zero_grad()
        (logits[1].mean() - logits[0].mean()).backward()
        optimizer.step()
    found = watch.logits(gan, 0)
    assert prefers(found["a"], found["b"]) > 0.95


def test_logits_of_two_classes_and_of_vectors():
    gan, watch, pixels = watched("loss=two_class")
    gan.discriminator.eval()
    with torch.no_grad():
        odds = gan.discriminator(pixels[0] / 127.5 - 1, None).log_softmax(1)
    assert torch.allclose(watch.logits(gan, 0)["a"], odds[:, 1] - odds[:, 0], atol=1e-5)
    gan, watch, _ = watched("loss=cramer")
    assert watch.logits(gan, 0) == {}
    assert watch(gan, 0) == {}


def test_prefers_counts_pairs():
    assert prefers(torch.tensor([1.0, 3.0]), torch.tensor([2.0, 3.0])) == pytest.approx((0 + 0 + 1 + 0.5) / 4)


def test_nearest_of_a_training_image_is_itself(tmp_path):
    real = images(200)
    side = reference(Pixels(), iter([uint8(real)]), 200, "r", tmp_path, CPU, kept=50)
    chosen = side.selected[[3, 40]]
    found = nearest(real[chosen], Pixels(), side)
    assert found[:, 0].tolist() == chosen.tolist()
    distance = (uint8(real[chosen])[:, None].float() - uint8(real[found]).float()).flatten(2).norm(dim=2)
    assert torch.equal(distance, distance.sort(1).values)
    picture = nearest_picture(real[chosen], uint8(real)[found])
    assert picture.shape == (3, 2 * 50 + 2, 52 + 8 + 9 * 50 + 2)


def test_watches_are_drawn_for_what_there_is():
    logits = {"fake": torch.randn(50), "train": torch.randn(50)}
    assert len(draw_watches(logits, {"share": [0.5, 0.5]}, ["a", "b"]).axes) == 2
    assert len(draw_watches({}, {"share": [0.5, 0.5], "fid": [1.0, 2.0]}, []).axes) == 2


def test_truncated_latents_lie_within_and_the_others_stay():
    z = torch.randn(500, 16, generator=torch.Generator().manual_seed(0))
    cut = truncate(z.clone(), 0.7, torch.Generator().manual_seed(1))
    assert cut.abs().max() <= 0.7
    assert torch.equal(cut[z.abs() <= 0.7], z[z.abs() <= 0.7])
    normal = torch.distributions.Normal(0, 1)
    inside = 2 * normal.cdf(torch.tensor(0.7)) - 1
    variance = 1 - 2 * 0.7 * normal.log_prob(torch.tensor(0.7)).exp() / inside  # of a normal cut at ±0.7
    assert cut.var().item() == pytest.approx(variance.item(), rel=0.03)


def test_many_samples_are_drawn_in_turns(monkeypatch):
    gan = build.build_gan(config("model.conditional=true"))
    monkeypatch.setattr(evaluation, "AT_ONCE", 40)
    parts = [len(part) for part in draw(gan, 100, 16, 0)]
    assert parts == [16, 16, 8, 16, 16, 8, 16, 4]
    first = torch.cat(list(draw(gan, 40, 16, 0)))
    assert torch.equal(torch.cat(list(draw(gan, 100, 16, 0)))[:40], first)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("model.generator.norm=none", "schedule.ema.decay=0.9"), ("averaged (EMA)", "none")),
        (("model.generator.norm=batch",), ("raw", "running statistics")),
        (("experiment=dcgan/mnist_saturating", "as_published=dcgan"), ("raw", "the batch's statistics")),
    ],
)
def test_what_is_drawn_from_is_recorded(words, expected):
    found = evaluation.measured(build.build_gan(config(*words)))
    assert (found["weights"], found["batch_norm"]) == expected


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    cwd = tmp_path_factory.mktemp("watched")
    words = ("model.conditional=true", "metrics=classifier", "metrics.extractor.updates=20", "metrics.samples=60")
    ganexp(*TINY, *words, "hydra.run.dir=run", cwd=cwd)
    return cwd / "run"


def test_a_run_is_watched(run):
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    watched = [row["step"] for row in rows if {"d_logit/train", "d_logit/test", "d_logit/fake"} <= row.keys()]
    assert watched == [0, 2, 4]
    protocol = json.loads((run / "run.json").read_text())["protocol"]
    assert protocol["samples"] == 60
    assert (protocol["weights"], protocol["seed"]) == ("raw", 10_000)
    assert protocol["references"]["train"]["images"] == 1438


def test_evaluate_scores_by_class_and_watches(run, tmp_path):
    names = "[fid,fid_interval,fid_infinity,intra_fid,diversity]"
    text = ganexp("evaluate", f"ckpt={run}", f"output={tmp_path}", f"scores={names}", cwd=tmp_path).stdout
    assert "the nearest of the 1,438 training images" in text
    found = json.loads((tmp_path / "scores.json").read_text())
    scores = found["scores"]
    assert scores["fid_classifier_low"] < scores["fid_classifier"] < scores["fid_classifier_high"]
    assert scores["intra_fid_classifier"] == pytest.approx(np.mean(found["by_class"]["fid"]))
    assert {"accuracy", "share", "fid"} <= found["by_class"].keys()
    assert 0 <= found["d_logit"]["train_above_test"] <= 1
    assert found["protocol"]["id"] != json.loads((run / "run.json").read_text())["protocol"]["id"]  # other references
    for name in ("nearest.png", "watches.png"):
        assert Image.open(tmp_path / name).size[0] > 300


def test_another_ruler_than_the_runs_own(run, tmp_path):
    words = ("evaluate", f"ckpt={run}", f"output={tmp_path}", "metrics=classifier", "scores=[is,fid]")
    ganexp(*words, "metrics.extractor.updates=5", "metrics.samples=40", cwd=tmp_path)
    assert not (tmp_path / "scores.json").exists()
    found = json.loads((tmp_path / "scores-classifier.json").read_text())
    own = json.loads((run / "run.json").read_text())["protocol"]
    assert found["protocol"]["samples"] == 40
    assert found["protocol"]["extractor"] == own["extractor"] == "classifier"
    assert found["protocol"]["weights_sha256"] != own["weights_sha256"]
    refused = ganexp(*words, "metrics.samples=4", cwd=tmp_path, check=False)
    assert "metrics.samples=4 is too few" in refused.stderr


def test_samples_for_other_programs(run, tmp_path):
    words = ("sample", f"ckpt={run}", "n=120", "seed=5")
    ganexp(*words, "output=png", cwd=tmp_path)
    ganexp(*words, "format=zip", "output=zip", cwd=tmp_path)
    ganexp(*words, "format=npz", "output=npz", cwd=tmp_path)
    files = sorted((tmp_path / "png" / "images").iterdir())
    pngs = np.stack([np.asarray(Image.open(file)) for file in files])
    with np.load(tmp_path / "npz" / "images.npz") as saved:
        assert saved["arr_0"].shape == (120, 8, 8, 1)
        assert np.array_equal(saved["arr_0"][..., 0], pngs)
        assert saved["arr_1"].tolist() == [i % 10 for i in range(120)]
    with ZipFile(tmp_path / "zip" / "images.zip") as archive:
        assert archive.namelist() == [file.name for file in files]
        assert archive.read("007.png") == files[7].read_bytes()
    ganexp(*words, "truncation=0.3", "output=cut", cwd=tmp_path)
    assert files[0].read_bytes() != (tmp_path / "cut" / "images" / "000.png").read_bytes()
    for word, message in (("format=jpg", "use png, zip, npz"), ("truncation=-1", "must be above 0")):
        assert message in ganexp(*words, word, "output=x", cwd=tmp_path, check=False).stderr


def test_batch_norm_by_the_batch_draws_no_image_alone(tmp_path):
    small = ("data=fake", "data.source.size=64", "data.resolution=8", "data.channels=1")
    ganexp("experiment=dcgan/mnist_saturating", "as_published=dcgan", *TINY, *small, "hydra.run.dir=run", cwd=tmp_path)
    refused = ganexp("sample", "ckpt=run", "n=101", cwd=tmp_path, check=False)
    assert "n=101: this generator norms by the batch, so no image is drawn alone: use n=102" in refused.stderr
    ganexp("sample", "ckpt=run", "n=102", cwd=tmp_path)


OWN = """
import torch

class Corner(torch.nn.Module):
    def forward(self, images):
        return images[:, 0, 2:5, 2:5].flatten(1).float()

class Flat(torch.nn.Module):
    def forward(self, images):
        return images.float()
"""


def test_a_users_own_extractor(tmp_path, monkeypatch):
    (tmp_path / "my_extractor.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "conf" / "metrics").mkdir(parents=True)
    for name in ("Corner", "Flat"):
        text = f"samples: 40\nextractor: {{_target_: my_extractor.{name}}}\n"
        (tmp_path / "conf" / "metrics" / f"{name.lower()}.yaml").write_text(text)
    words = ["--config-dir=conf", *(word for word in TINY if word != "metrics=none")]
    ganexp(*words, "metrics=corner", "metrics.scores=[fid]", "hydra.run.dir=own", cwd=tmp_path)
    facts = json.loads((tmp_path / "own" / "run.json").read_text())
    assert facts["scores"]["last"]["fid_corner"] > 0
    refused = ganexp("evaluate", "ckpt=own", "scores=[fid]", cwd=tmp_path, check=False)
    assert "GANEXP_TRUST=my_extractor" in refused.stderr
    monkeypatch.setenv("GANEXP_TRUST", "my_extractor")
    assert "fid_corner" in ganexp("evaluate", "ckpt=own", "scores=[fid]", cwd=tmp_path).stdout
    ganexp(*words, "metrics=none", "hydra.run.dir=unscored", cwd=tmp_path)
    told = ganexp("evaluate", "ckpt=unscored", cwd=tmp_path, check=False)
    assert "say what to score with" in told.stderr
    ganexp("evaluate", "--config-dir=conf", "ckpt=unscored", "metrics=corner", "scores=[fid]", cwd=tmp_path)
    assert json.loads((tmp_path / "unscored" / "scores-corner.json").read_text())["scores"]["fid_corner"] > 0
    for name, message in (("flat", "are [2, 1, 8, 8], not (N, d)"), ("corner", "gives no class logits")):
        refused = ganexp(*words, f"metrics={name}", "hydra.run.dir=other", cwd=tmp_path, check=False)
        assert message in refused.stderr
        assert not (tmp_path / "other").exists()
