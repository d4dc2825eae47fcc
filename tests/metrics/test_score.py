"""What all scores have in common: any order of samples, several processes, inference mode, info, kept samples."""

import math

import pytest
import torch
import yaml
from helpers.scores import CPU, EVERY_SCORE, Stub, feed, make_reference, make_scores, minimum_of

from ganexp.cli import CONF
from ganexp.metrics.score import SampleScore, Score, ScoreContext

COUNT, CLASSES, DIM = 90, 4, 5
every_score = pytest.mark.parametrize("name", EVERY_SCORE)


def samples(seed=0):
    """Return features, logits and labels of COUNT samples."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(COUNT, DIM, generator=generator)
    return features, torch.randn(COUNT, CLASSES, generator=generator), torch.arange(COUNT) % CLASSES


def scores_of(name):
    real = {split: samples(seed)[0] + 0.5 for split, seed in (("train", 1), ("test", 2))}
    return make_scores(
        {name: EVERY_SCORE[name]},
        real,
        COUNT,
        Stub(DIM, CLASSES, knows_labels=True),
        class_reference=lambda c: make_reference(real["train"][c::CLASSES]),
        reference_labels=torch.arange(COUNT) % CLASSES,
        num_classes=CLASSES,
    )


@every_score
def test_order_of_arrival_does_not_matter(name):
    expected, other = feed(scores_of(name), *samples()), scores_of(name)
    shuffled = torch.randperm(COUNT, generator=torch.Generator().manual_seed(5))
    feed(other, *samples(), order=shuffled, batch_size=7)
    assert other.compute() == pytest.approx(expected.compute(), rel=1e-9)
    assert other.by_class.keys() == expected.by_class.keys()
    for key, values in expected.by_class.items():
        assert other.by_class[key] == pytest.approx(values, rel=1e-9)


@every_score
def test_states_of_two_processes_add_up_to_one(name):
    expected, first, second = scores_of(name), scores_of(name), scores_of(name)
    feed(expected, *samples())
    feed(first, *samples(), order=torch.arange(1, COUNT, 2))
    feed(second, *samples(), order=torch.arange(0, COUNT, 2))
    first.scores[name].merge_state(second.scores[name])
    first.sample_counts.merge_state(second.sample_counts)
    assert first.compute() == pytest.approx(expected.compute(), rel=1e-9)


@every_score
def test_update_works_after_inference_mode_and_reset(name):
    scores = scores_of(name)
    with torch.inference_mode():
        scores.reset()
        first = feed(scores, *samples()).compute()
    scores.reset()
    assert scores.by_class == {}
    assert feed(scores, *samples()).compute() == pytest.approx(first, rel=1e-12)
    scores.reset()
    assert feed(scores, *samples(seed=9)).compute() != first  # nothing is left of the earlier samples


@every_score
def test_value_info_describes_exactly_the_computed_values(name):
    scores = feed(scores_of(name), *samples())
    info = scores.info()
    assert set(info) == set(scores.compute())
    for key, facts in info.items():
        if "spread_of" in facts:
            assert key in {f"{facts['spread_of']}{end}" for end in ("_std", "_low", "_high")}
        else:
            assert facts["higher_is_better"] in (True, False, None)
            assert facts["plot_scale"] in ("linear", "log")


@every_score
def test_value_info_names_the_reference_and_the_row(name):
    """A value for the split `test` belongs to the row whose name is the value's name without `_test`."""
    info = scores_of(name).info()
    for key, facts in info.items():
        if key.startswith(("precision", "recall", "density", "coverage", "kid", "swd", "fid_s", "fid_infinity")):
            is_of_test = "_test" in key and ("spread_of" not in facts or name == "fid_interval")
            assert facts.get("reference") == ("test" if is_of_test else None)
            assert facts.get("row") == (key.replace("_test", "") if is_of_test else None)
            assert "row" not in facts or facts["row"] in info


def state_size(name, count, kept):
    """Return the number of values in the state of a score after `count` samples, with `kept_samples = kept`."""
    real = samples()[0]
    scores = make_scores(
        {name: EVERY_SCORE[name]},
        real,
        count,
        Stub(DIM, CLASSES, knows_labels=True),
        class_reference=lambda c: make_reference(real),
        num_classes=CLASSES,
    )
    scores.scores[name].kept_samples = kept
    features, logits, labels = torch.randn(count, DIM), torch.randn(count, CLASSES), torch.arange(count) % CLASSES
    feed(scores, features, logits, labels)
    states = scores.scores[name].metric_state.values()
    return sum(sum(map(torch.numel, value)) if isinstance(value, list) else value.numel() for value in states)


@every_score
def test_score_keeps_as_many_samples_as_it_declares(name):
    """A score stores at most `kept_samples` samples; with `kept_samples = 0`, its memory is constant."""
    kept = scores_of(name).scores[name].kept_samples
    if kept == 0:
        assert state_size(name, 100, 0) == state_size(name, 300, 0)
    else:
        assert state_size(name, 100, 40) == state_size(name, 300, 40) == state_size(name, 40, None)
        assert state_size(name, 100, None) > state_size(name, 40, None)


@every_score
def test_score_of_its_minimum_of_images_is_finite(name):
    """The minimum numbers of images that a score declares are enough to compute each value of the score."""
    minimum = minimum_of(name)
    images, count = max(minimum.images, CLASSES * minimum.of_class), max(minimum.samples, CLASSES * minimum.of_class)
    generator = torch.Generator().manual_seed(0)
    real = {split: torch.randn(images, DIM, generator=generator) for split in ("train", "test")}
    labels = torch.arange(count) % CLASSES
    scores = make_scores(
        {name: EVERY_SCORE[name]},
        real,
        count,
        Stub(DIM, CLASSES, knows_labels=True),
        class_reference=lambda c: make_reference(real["train"][c::CLASSES]),
        num_classes=CLASSES,
    )
    guesses = torch.zeros(count, dtype=torch.long)
    guesses[: count // 2] = 1  # diversity needs two classes, and two samples in one of them
    logits = torch.eye(CLASSES)[guesses] if count > 2 else torch.eye(CLASSES)[[0, 0]]
    features = torch.randn(count, DIM, generator=generator)
    for key, value in feed(scores, features, logits, labels).compute().items():
        assert math.isfinite(value) or key.startswith("distance_between"), key


@pytest.mark.parametrize("limit", [None, 30, 1000])
def test_sample_score_keeps_the_first_samples_by_index(limit):
    class First(SampleScore):
        kept_samples = limit

        def update(self, features):
            raise NotImplementedError

        compute = update

        def column_names(self):
            return ["features", "extra"]

    features, logits, _ = samples()
    context = ScoreContext("stub", DIM, None, False, {"train": make_reference(features)}, COUNT, CPU)
    score = First(context)
    for part in torch.arange(COUNT).flip(0).split(11):
        score.keep(part, features=features[part], extra=logits[part])
    kept = COUNT if limit is None else min(limit, COUNT)
    assert all(map(torch.equal, score.sorted_columns(), (features[:kept], logits[:kept])))
    assert sum(map(len, score.indices)) == kept


@every_score
def test_scores_of_few_samples_can_choose_them_at_random(name):
    """The two halves of the samples differ. A score that uses only 30 samples must choose them from both halves."""
    halves = torch.arange(COUNT)[:, None] // (COUNT // 2) * 20.0

    def values(order):
        scores = scores_of(name)
        scores.scores[name].kept_samples = scores.scores[name].kept_samples and 30
        scores.choose_at_random()
        features, logits, labels = samples()
        features = (features + halves)[order]
        return feed(scores, features, logits[order], labels[order]).compute()

    for key, value in values(torch.arange(COUNT)).items():
        if "_std" not in key:
            shuffled = values(torch.randperm(COUNT, generator=torch.Generator().manual_seed(3)))[key]
            assert value == pytest.approx(shuffled, rel=0.4, abs=0.15), key


def test_references_are_named_after_the_first():
    real = {split: make_reference(samples()[0], split) for split in ("train", "test", "extra")}
    context = ScoreContext("stub", DIM, None, False, real, COUNT, CPU)
    names = [(name, reference.fingerprint) for name, reference in context.named_references()]
    assert names == [("stub", "train"), ("stub_test", "test"), ("stub_extra", "extra")]
    assert context.first_reference is real["train"]


@every_score
def test_option_of_metrics_score_holds_one_score_of_its_name(name):
    content = yaml.safe_load((CONF / "metrics" / "score" / f"{name}.yaml").read_text())
    assert list(content) == [name]
    kind = type(scores_of(name).scores[name])
    assert content[name]["_target_"] == f"{kind.__module__}.{kind.__qualname__}"
    assert issubclass(kind, Score)
