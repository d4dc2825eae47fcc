"""The estimated cost of a run, compared with the real cost."""

import json
import tempfile
import time

import pytest
from helpers.cli import ganexp

pytestmark = pytest.mark.slow

RUN = (
    "schedule.steps=30",
    "schedule.evaluate_every=15",
    "metrics.samples=1000",
    "metrics.extractor.updates=10",
    "trainer=cpu",
)
SMALL = (
    *("model=mlp", "model.generator.hidden=[8]", "model.discriminator.hidden=[8]", "schedule.batch_size=8"),
    *("metrics=none", "trainer=cpu"),
)


def estimate(*overrides, cwd):
    return json.loads(ganexp("describe", "estimate=true", *overrides, cwd=cwd).stdout)["estimate"]


@pytest.fixture(autouse=True)
def own_scratch(tmp_path, monkeypatch):
    """Let temporary files be created in `tmp_path`, where the test can see them."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_hours_are_those_of_a_real_run(tmp_path):
    ratios = []
    for _ in range(3):  # other work may slow down the estimate or the run
        result = estimate(*RUN, cwd=tmp_path)
        started = time.monotonic()
        ganexp(*RUN, "callbacks=[sample_grids,curves,progress]", "hydra.run.dir=run", cwd=tmp_path)
        ratios.append(result["hours"] * 3600 / (time.monotonic() - started))
        if 1 / 3 < ratios[-1] < 3:
            break
    assert 1 / 3 < ratios[-1] < 3, ratios
    assert result["evaluations"] == 3
    assert 0 < result["evaluation_share"] < 1
    assert 0.5 < result["gflops_a_step"] < 5
    share = result["gflops_a_step"] / result["seconds_a_step"] / result["peak_gflops"]
    assert result["share_of_peak"] == pytest.approx(share, rel=0.01)
    assert 0 < share < 1
    size = sum(file.stat().st_size for file in (tmp_path / "run").rglob("*") if file.is_file())
    assert 0.5 < result["disk_gib"] * 2**30 / size < 2
    assert 0.1 < result["memory_gib"] < 8


def test_work_for_the_caches_counts_until_it_is_done(tmp_path, monkeypatch):
    """An estimate itself fills no cache: it leaves no files."""
    monkeypatch.setenv("GANEXP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GANEXP_DATA", str(tmp_path / "data"))
    few, many = (estimate(*RUN, f"metrics.extractor.updates={updates}", cwd=tmp_path) for updates in (10, 10_000))
    assert not list(tmp_path.iterdir())
    classifier = "classifier (trained) of digits"
    assert set(few["once_hours"]) == {classifier, "classifier's reference (train) of digits"}
    assert few["notes"] == ["hours are for a run with a filled cache; the first run also needs once_hours"]
    assert many["once_hours"][classifier] > 20 * few["once_hours"][classifier]
    ganexp("evaluate", "real=test", "metrics.extractor.updates=10", "metrics.references=[train]", cwd=tmp_path)
    assert estimate(*RUN, cwd=tmp_path)["once_hours"] == {}


def test_run_that_ends_by_discriminator_updates(tmp_path):
    words = (*SMALL, "loss=hinge", "schedule/updates=loss_limit", "schedule.updates.limit=0.001")
    result = estimate(*words, "schedule.steps=2000", "schedule.max_d_steps=1000", cwd=tmp_path)
    (note,) = result["notes"]
    assert "ends after 1,000 discriminator updates: at 2" in note  # each step except the first has five updates
    assert result["hours"] < 400 * result["seconds_a_step"] / 3600
    assert estimate(*words, "schedule.steps=20", "schedule.max_d_steps=1000", cwd=tmp_path)["notes"] == []


def test_evaluations_are_counted_in_discriminator_updates(tmp_path):
    """An epoch of the digits has 10 batches, and each step except the first makes five updates."""
    words = (*SMALL, "loss=hinge", "schedule/updates=loss_limit", "schedule.updates.limit=0.001")
    epochs = ("schedule.batch_size=143", "schedule.evaluate_every_epochs=1", "schedule.steps=200")
    result = estimate(*words, *epochs, cwd=tmp_path)
    assert result["notes"] == []
    assert 90 < result["evaluations"] < 102


@pytest.mark.parametrize(
    ("n_critic", "n_gen", "settings"),
    [
        (1, 5, ("schedule.steps=50", "schedule.evaluate_by=d_steps", "schedule.evaluate_every=1")),
        (1, 5, ("schedule.steps=52", "schedule.evaluate_by=d_steps", "schedule.evaluate_every=3")),
        (5, 1, ("schedule.steps=8", "schedule.evaluate_by=d_steps", "schedule.evaluate_every=2")),
        (1, 5, ("schedule.steps=90", "schedule.max_d_steps=10", "schedule.evaluate_every=20")),
        (2, 3, ("schedule.steps=90", "schedule.max_d_steps=5", "schedule.evaluate_every=4")),
    ],
)
def test_fixed_ratio_has_the_length_and_evaluations_of_a_real_run(n_critic, n_gen, settings, tmp_path):
    ratio = (f"schedule.updates.n_critic={n_critic}", f"schedule.updates.n_gen={n_gen}")
    grids = ("callbacks=sample_grids", "metrics.grid_rows=1", "metrics.grid_columns=1")
    words = (*SMALL, *ratio, *settings, *grids)
    result = estimate(*words, cwd=tmp_path)
    ganexp(*words, "hydra.run.dir=run", cwd=tmp_path)
    steps = sorted(int(file.stem.split("-")[-1]) for file in (tmp_path / "run/samples").glob("step-*.png"))
    assert result["evaluations"] == len(steps)
    expected = [f"the run ends after {settings[1].split('=')[1]} discriminator updates: at {steps[-1]} steps"]
    assert result["notes"] == (expected if "max_d_steps" in settings[1] else [])


def test_missing_dataset_is_replaced_by_random_images(tmp_path, monkeypatch):
    monkeypatch.setenv("GANEXP_DATA", str(tmp_path / "data"))
    result = estimate(*SMALL, "data=mnist", cwd=tmp_path)
    assert "mnist is not on this machine: random images" in result["notes"][0]
    assert result["hours"] > 0
    assert result["once_hours"] == {}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("swept", "kinds"),
    [
        ("schedule.batch_size=8,16", [[0, 1]]),
        ("data.resolution=8,16", [[0], [1]]),
    ],
)
def test_sweep_does_equal_work_for_the_caches_once(swept, kinds, tmp_path, monkeypatch):
    """Each list of `kinds` has the jobs that share the work."""
    monkeypatch.setenv("GANEXP_CACHE", str(tmp_path / "cache"))
    words = (*SMALL, "metrics=classifier", "metrics.samples=40", "metrics.extractor.updates=20", swept)
    result = json.loads(ganexp("describe", "-m", "estimate=true", *words, cwd=tmp_path).stdout)
    jobs = [job["estimate"]["once_hours"] for job in result["jobs"]]
    total = result["estimate"]["once_hours"]
    assert len(total) == 2  # the classifier and the reference
    for what, hours in total.items():
        assert hours == pytest.approx(sum(max(jobs[job][what] for job in kind) for kind in kinds))


def test_sweep_costs_the_sum_of_its_jobs(tmp_path):
    words = (*SMALL, "schedule.batch_size=8,16")
    result = json.loads(ganexp("describe", "-m", "estimate=true", *words, cwd=tmp_path).stdout)
    jobs = [job["estimate"] for job in result["jobs"]]
    assert result["estimate"]["jobs"] == len(jobs) == 2
    assert result["estimate"]["hours"] == pytest.approx(sum(job["hours"] for job in jobs))
    assert result["estimate"]["disk_gib"] == pytest.approx(sum(job["disk_gib"] for job in jobs))
    assert not list(tmp_path.iterdir())
