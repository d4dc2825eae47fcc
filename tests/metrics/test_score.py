"""What all scores have in common: order of arrival, several processes, inference mode, info, completeness."""

import pytest
import torch
import yaml
from helpers.scores import CPU, EVERY_SCORE, Stub, feed, make_reference, make_scores

from ganexp.cli import CONF
from ganexp.metrics.score import SampleScore, Score, ScoreContext

COUNT, CLASSES, DIM = 90, 4, 5
every_score = pytest.mark.parametrize("name", EVERY_SCORE)


def samples(seed=0):
    """Features, logits and labels of COUNT samples."""
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
    assert feed(scores, *samples()).compute() == first
    scores.reset()
    assert feed(scores, *samples(seed=9)).compute() != first  # nothing is left of the samples before


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


def test_only_some_scores_keep_features():
    kept = {name: scores_of(name).scores[name].kept_samples for name in EVERY_SCORE}
    assert kept == {
        "is": 0,
        "fid": 0,
        "kid": 10_000,
        "neighbours": 10_000,
        "diversity": 2000,
        "fid_interval": None,
        "fid_infinity": None,
        "intra_fid": None,
        "accuracy": 0,
    }


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


def test_references_are_named_after_the_first():
    real = {split: make_reference(samples()[0], split) for split in ("train", "test", "extra")}
    context = ScoreContext("stub", DIM, None, False, real, COUNT, CPU)
    names = [(name, reference.fingerprint) for name, reference in context.named_references()]
    assert names == [("stub", "train"), ("stub_test", "test"), ("stub_extra", "extra")]
    assert context.first_reference is real["train"]


def test_every_option_of_metrics_score_is_tested_here():
    files = {file.stem: yaml.safe_load(file.read_text()) for file in (CONF / "metrics" / "score").glob("*.yaml")}
    assert files.keys() == EVERY_SCORE.keys()
    for name, content in files.items():
        assert list(content) == [name]
        kind = type(scores_of(name).scores[name])
        assert content[name]["_target_"] == f"{kind.__module__}.{kind.__qualname__}"
        assert issubclass(kind, Score)
