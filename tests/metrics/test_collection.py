"""All scores from one pass through the extractor: agreement with torch-fidelity, protocol, random state, memory."""

import hashlib
import json
import math
import multiprocessing
import random

import numpy as np
import pytest
import torch
from helpers.processes import in_new_process
from helpers.scores import CPU, EVERY_SCORE, Pixels, Stub, feed, make_reference, make_scores, peaks_of_memory
from torch import nn
from torch_fidelity import calculate_metrics, metric_fid, metrics
from torchvision.utils import save_image

from ganexp.errors import UserError
from ganexp.metrics.collection import Scores
from ganexp.metrics.extractors.inception import InceptionExtractor
from ganexp.metrics.fid import FID
from ganexp.metrics.inception_score import InceptionScore
from ganexp.metrics.kid import KID
from ganexp.metrics.labels import SampleLabels
from ganexp.metrics.reference import load_reference
from ganexp.metrics.score import Score
from ganexp.pixels import to_uint8

pytestmark = pytest.mark.slow

IMAGES = torch.rand(90, 1, 2, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1


def every_score(extractor=None):
    """Return all scores for samples with four classes."""
    real = {split: to_uint8(-IMAGES * scale).flatten(1).float() for split, scale in (("train", 1.0), ("test", 0.9))}
    return make_scores(
        EVERY_SCORE,
        real,
        90,
        extractor or Pixels(knows_labels=True),
        class_reference=lambda c: make_reference(real["train"][c::4]),
        reference_labels=torch.arange(90) % 4,
        real_images=lambda split, chosen: to_uint8(-IMAGES)[chosen],
        num_classes=4,
    )


def validate(scores, images=IMAGES, batch_size=40):
    scores.reset()
    for part in torch.arange(len(images)).split(batch_size):
        scores.update(images[part], part % 4 if scores.num_classes else None, part)
    return scores.compute()


@pytest.fixture
def few_features(monkeypatch):
    """Let torch-fidelity compute FID from few coordinates instead of 2048, which takes seconds.

    The coordinates are those in an orthonormal basis of the space of all features, so FID has the same value.
    """
    metric = metrics.fid_statistics_to_metric

    def in_common_basis(first, second, verbose):
        basis, _ = torch.linalg.qr(torch.cat([first, second]).double().T)  # (2048, number of images)
        return metric(*(statistics(features.double() @ basis) for features in (first, second)), verbose)

    statistics = metric_fid.fid_features_to_statistics
    monkeypatch.setattr(metric_fid, "fid_features_to_statistics", lambda features: features)
    monkeypatch.setattr(metrics, "fid_statistics_to_metric", in_common_basis)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.usefixtures("few_features")
def test_scores_of_folders_equal_torch_fidelitys(random_inception, tmp_path):
    """FID, IS and KID equal torch-fidelity's scores of the same PNGs with the same randomly initialised Inception."""
    generator = torch.Generator().manual_seed(2)
    brightness = torch.linspace(0.2, 1, 4)[:, None, None, None]  # (4, 1, 1, 1)
    real, fake = (torch.rand(4, 3, 32, 32, generator=generator) * brightness * scale - 1 for scale in (2.0, 1.2))
    for name, images in (("real", real), ("fake", fake)):
        (tmp_path / name).mkdir()
        for index, image in enumerate(to_uint8(images)):
            save_image(image / 255, tmp_path / name / f"{index:03d}.png")
    theirs = calculate_metrics(
        input1=str(tmp_path / "fake"),
        input2=str(tmp_path / "real"),
        fid=True,
        isc=True,
        kid=True,
        cuda=False,
        isc_splits=2,
        kid_subset_size=4,
        kid_subsets=3,
        feature_extractor_weights_path=str(random_inception),
        verbose=False,
        cache=False,
    )
    extractor = InceptionExtractor(str(random_inception))
    reference = load_reference(extractor, iter(to_uint8(real).split(4)), 4, "real", tmp_path, CPU)
    factories = {"is": lambda context: InceptionScore(context, 2), "fid": FID, "kid": KID}
    ours = validate(Scores(extractor, {"train": reference}, 4, CPU, factories), fake, 4)
    assert theirs["inception_score_mean"] > 1.001
    assert abs(theirs["kernel_inception_distance_mean"]) > 0.001
    assert ours["is_inception"] - 1 == pytest.approx(theirs["inception_score_mean"] - 1, rel=1e-3)
    assert ours["is_inception_std"] == pytest.approx(theirs["inception_score_std"], rel=1e-3)
    assert ours["fid_inception"] == pytest.approx(theirs["frechet_inception_distance"], rel=1e-4)
    assert ours["kid_inception"] == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-4)


def test_extractor_sees_each_image_once_as_8_bits():
    seen = []

    class Counting(Pixels):
        def extract(self, images):
            seen.append(images)
            return super().extract(images)

    validate(every_score(Counting(knows_labels=True)))
    assert torch.equal(torch.cat(seen), to_uint8(IMAGES))


def test_each_score_gets_the_arguments_it_names():
    given = {}

    class Brightness(Score):
        def update(self, images, labels):
            given[len(given)] = (images, labels)

        def compute(self):
            return {"brightness_pixels": torch.cat([images for images, _ in given.values()]).mean()}

        def value_names(self):
            return ["brightness_pixels"]

    scores = make_scores({"fid": FID, "brightness": Brightness}, torch.rand(9, 4), 90, Pixels(), num_classes=4)
    values = validate(scores)
    assert values["brightness_pixels"] == pytest.approx(IMAGES.mean().item())  # the mean of images in [-1, 1]
    assert torch.cat([labels for _, labels in given.values()]).tolist() == [i % 4 for i in range(90)]


class Own(Score):
    """A score whose values are `computed`, and whose lists of values for the classes are `classwise`."""

    computed, classwise = {"fid_pixels": torch.tensor(0.5)}, {}

    def update(self, images):
        self.by_class = self.classwise

    def compute(self):
        return self.computed

    def value_names(self):
        return ["fid_pixels"]


@pytest.mark.parametrize("names", [("fid", "own"), ("own", "fid")])
def test_two_scores_with_one_name_are_refused(names):
    factories = {name: {"fid": FID, "own": Own}[name] for name in names}
    message = rf"metrics.scores.{names[1]}: its value fid_pixels .* as a value of metrics.scores.{names[0]}. Give"
    with pytest.raises(UserError, match=message):
        make_scores(factories, torch.rand(9, 4), 90, Pixels())


def test_two_scores_with_one_list_for_classes_are_refused():
    factories = {name: type(name, (Own,), {"classwise": {"fid": [1.0]}}) for name in "ab"}
    for name, factory in factories.items():
        factory.value_names = lambda self, name=name: [name]
        factory.computed = {name: 1.0}
    scores = make_scores(factories, torch.rand(9, 4), 90, Pixels())
    validate(scores)
    with pytest.raises(UserError, match=r"metrics.scores.b: its value fid .* metrics.scores.a"):
        _ = scores.by_class


@pytest.mark.parametrize("computed", [torch.tensor(1.0), {"other": 1.0}, {}, {"fid_pixels": torch.ones(3)}, None])
def test_score_that_returns_other_values_is_refused(computed):
    scores = make_scores({"mine": type("Mine", (Own,), {"computed": computed})}, torch.rand(9, 4), 90, Pixels())
    with pytest.raises(UserError, match=r"metrics.scores.mine: compute must return .* fid_pixels, but it returned"):
        validate(scores)


def test_score_may_return_plain_numbers():
    scores = make_scores(
        {"mine": type("Mine", (Own,), {"computed": {"fid_pixels": 2}})}, torch.rand(9, 4), 90, Pixels()
    )
    assert validate(scores) == {"fid_pixels": 2.0}


def test_values_come_in_the_order_of_the_factories():
    real = torch.rand(9, 4, generator=torch.Generator().manual_seed(0))
    by_name = {"is": lambda context: InceptionScore(context, 3), "fid": FID, "kid": KID}
    values = validate(make_scores(by_name, real, 90, Pixels()))
    assert list(values) == ["is_pixels", "is_pixels_std", "fid_pixels", "kid_pixels", "kid_pixels_std"]
    backwards = dict(reversed(by_name.items()))
    assert next(iter(validate(make_scores(backwards, real, 90, Pixels())))) == "kid_pixels"
    assert all(type(value) is float for value in values.values())


def test_scores_are_repeatable_and_leave_random_states_alone():
    states = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    scores = every_score()
    first = validate(scores)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.random.get_state()[1].tolist() == states[1]
    assert random.getstate() == states[2]
    torch.manual_seed(99)
    np.random.seed(99)
    assert validate(scores) == first
    assert validate(every_score()) == first


def test_scores_are_the_same_under_autocast():
    expected = validate(every_score(Projection()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert validate(every_score(Projection())) == expected


class Projection(Pixels):
    """An extractor with a matrix product, which autocast would compute in 16 bits."""

    def __init__(self):
        super().__init__(knows_labels=True)
        self.linear = nn.Linear(4, 4, bias=False).requires_grad_(False)
        self.linear.weight.copy_(torch.eye(4) + 1 / 3)

    def extract(self, images):
        features = self.linear(images.flatten(1).float())
        return features, features


def test_by_class_and_info_are_merged():
    scores = every_score()
    values = validate(scores)
    assert scores.by_class.keys() >= {"fid", "share", "accuracy"}
    assert scores.info().keys() == values.keys()


def test_by_class_begins_with_names_and_expected_shares():
    options = {"classes": ["a", "b", "c", "d"], "expected_share": [0.7, 0.1, 0.1, 0.1], "num_classes": 4}
    scores = make_scores({"accuracy": EVERY_SCORE["accuracy"]}, torch.rand(9, 4), 90, Pixels(4, True), **options)
    assert scores.by_class == {}
    validate(scores)
    assert list(scores.by_class) == ["classes", "expected_share", "share", "accuracy"]
    assert scores.by_class["classes"] == ["a", "b", "c", "d"]
    without_values = make_scores({"fid": FID}, torch.rand(9, 4), 90, Pixels(), **options)
    validate(without_values)
    assert without_values.by_class == {}


def test_scores_are_no_module():
    """If Scores were an nn.Module, the checkpoints of the LightningModule would contain the extractor."""
    assert not isinstance(every_score(), nn.Module)


def test_scores_move_with_extractor_and_references():
    scores = every_score(Projection())
    assert scores.to(torch.device("meta")) is scores
    assert scores.extractor.linear.weight.device.type == "meta"
    assert {reference.features.device.type for reference in scores.references.values()} == {"meta"}
    assert scores.scores["fid"].totals.device.type == scores.scores["is"].split_of.device.type == "meta"


def test_no_score_at_all_is_refused():
    with pytest.raises(UserError, match=r"metrics/score=\[is,fid\]"):
        make_scores({}, torch.rand(9, 4), 90, Pixels())


def test_labels_are_needed_exactly_if_there_are_classes():
    with_classes = make_scores({"fid": FID}, torch.rand(9, 4), 90, Pixels(), num_classes=4)
    without = make_scores({"fid": FID}, torch.rand(9, 4), 90, Pixels())
    indices = torch.arange(90)
    with pytest.raises(ValueError, match="samples have 4 classes"):
        with_classes.update(IMAGES, None, indices)
    with pytest.raises(ValueError, match="samples have 0 classes"):
        without.update(IMAGES, indices % 4, indices)


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (torch.arange(89), "1 are missing, and 0 came"),
        (torch.cat([torch.arange(90), torch.tensor([40, 40, 41])]), "0 are missing, and 2 came more than once"),
        (torch.cat([torch.tensor([40]), torch.arange(1, 90)]), "1 are missing, and 1 came"),
    ],
)
def test_missing_or_repeated_samples_are_refused(order, message):
    scores = feed(every_score(), *[to_uint8(IMAGES).flatten(1).float()] * 2, torch.arange(90) % 4, order)
    with pytest.raises(ValueError, match=f"Of 90 samples, {message}"):
        scores.compute()
    assert validate(scores) == pytest.approx(validate(every_score()), rel=1e-12)


@pytest.mark.parametrize("indices", [torch.arange(1, 91), torch.arange(-1, 89)])
def test_indices_beyond_the_samples_are_refused(indices):
    scores = make_scores({"fid": FID}, torch.rand(9, 4), 90, Pixels())
    with pytest.raises(ValueError, match="between 0 and 89"):
        scores.update(IMAGES, None, indices)


def protocol(extractor=None, samples=40, **references):
    by_split = {split: make_reference(features, split) for split, features in references.items()}
    extractor = extractor or Stub(3)
    return Scores(extractor, by_split, samples, CPU, {"fid": FID}).protocol()


def test_protocol_lists_what_the_values_depend_on():
    extractor = Stub(3)
    extractor.facts = {"classifier_test_accuracy": 0.9}
    found = protocol(extractor, train=torch.rand(9, 3))
    settings = {
        "extractor": "stub",
        "weights_sha256": "0",
        "input": "none",
        "samples": 40,
        "references": {"train": {"images": 9, "sha256": "train"}},
    }
    text = json.dumps(settings, sort_keys=True)
    assert found == settings | extractor.facts | {"id": hashlib.sha256(text.encode()).hexdigest()[:8]}


def test_protocol_id_depends_on_the_number_of_images_drawn_together():
    scores = Scores(Stub(3), {"train": make_reference(torch.rand(9, 3), "train")}, 40, CPU, {"fid": FID})
    protocols = [scores.protocol(number) for number in (None, 64, 500)]
    assert [each.get("drawn_together") for each in protocols] == [None, 64, 500]
    assert len({each["id"] for each in protocols}) == 3
    assert protocols[0] == scores.protocol()


def test_protocol_id_depends_on_every_setting():
    real = torch.rand(9, 3)
    renamed, retrained, resized = Stub(3), Stub(3), Stub(3)
    renamed.name, retrained.identity, resized.input = "other", "1", "resized"
    protocols = [
        protocol(train=real),
        protocol(train=real, samples=41),
        protocol(train=real[:8]),
        protocol(test=real),
        protocol(train=real, test=real),
        *(protocol(extractor, train=real) for extractor in (renamed, retrained, resized)),
    ]
    assert len({found["id"] for found in protocols}) == len(protocols)
    assert protocol(train=real) == protocols[0]


@pytest.mark.parametrize("splits", [("train", "test"), ("all", "test"), ("train", "unlabeled", "test")])
def test_protocol_id_depends_on_the_first_reference(splits):
    """The first reference decides which values have no split in their names."""
    references = {split: torch.rand(9, 3) for split in splits}
    first = {
        split: protocol(**{split: references[split]}, **{s: r for s, r in references.items() if s != split})["id"]
        for split in splits
    }
    assert len(set(first.values())) == len(splits)
    assert "first_reference" not in protocol(train=torch.rand(9, 3))


def labelled_protocol(counts, shares):
    labels = SampleLabels(torch.arange(len(counts)).repeat_interleave(torch.tensor(counts)), ["a", "b"], shares)
    reference = make_reference(torch.rand(9, 3), "train")
    return Scores(Stub(3), {"train": reference}, sum(counts), CPU, {"fid": FID}, labels=labels).protocol()


def test_protocol_id_depends_on_the_shares_of_classes():
    uneven, other, even = (labelled_protocol(counts, "reference") for counts in ([30, 10], [29, 11], [20, 20]))
    assert (uneven["labels"], uneven["class_samples"]) == ("reference", {"a": 30, "b": 10})
    assert labelled_protocol([40, 0], "reference")["class_samples"] == {"a": 40, "b": 0}
    assert len({found["id"] for found in (uneven, other, even)}) == 3
    uniform = labelled_protocol([20, 20], "uniform")
    assert uniform["labels"] == "uniform"
    assert uniform["id"] == even["id"]  # the class sizes are the same
    unlabelled = protocol(train=torch.rand(9, 3))
    assert "labels" not in unlabelled
    given = labelled_protocol([30, 10], None)  # no setting has chosen the classes of these images
    assert given["id"] == unlabelled["id"]
    assert "labels" not in given


def score_on_rank(rank, store, results):
    """Score samples 0 to 49 on rank 0 and the others on rank 1; KID keeps 30 samples, which are all on rank 0."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    scores = every_score()
    scores.scores["kid"].kept_samples = 30
    order = [torch.arange(50), torch.arange(50, 90)][rank]
    scores.reset()
    for part in order.split(20):
        scores.update(IMAGES[part], part % 4, part)
    results.put((scores.compute(), scores.by_class))
    torch.distributed.destroy_process_group()


def test_two_processes_compute_the_values_of_one(tmp_path):
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    ranks = [context.Process(target=score_on_rank, args=(rank, tmp_path / "store", results)) for rank in range(2)]
    for rank in ranks:
        rank.start()
    found = [results.get(timeout=120) for _ in ranks]
    for rank in ranks:
        rank.join()
    alone = every_score()
    alone.scores["kid"].kept_samples = 30
    expected = validate(alone)
    for values, by_class in found:
        assert values == pytest.approx(expected, rel=1e-9)
        assert by_class["accuracy"] == alone.by_class["accuracy"]


def test_memory_of_is_and_fid_does_not_grow_with_samples():
    """Keeping the features of all 50,000 samples would take 92 MB more than keeping those of 5,000."""
    few, many = in_new_process(peaks_of_memory, (5000, 50_000))
    assert many - few < 40


def test_updates_with_features_equal_those_with_images():
    direct = every_score()
    flat = to_uint8(IMAGES).flatten(1).float()
    feed(direct, flat, flat, torch.arange(90) % 4, images=IMAGES)
    assert direct.compute() == validate(every_score())


def test_score_that_cannot_be_computed_is_named(capsys):
    class Failing(FID):
        def compute(self):
            raise torch.linalg.LinAlgError("linalg.eigh: failed to converge")

        def value_names(self):
            return ["failing_pixels"]

    scores = {"fid": FID, "failing": Failing, "is": lambda context: InceptionScore(context, 3)}
    values = validate(make_scores(scores, torch.rand(9, 4), 90, NaNFeatures()))
    assert math.isnan(values["fid_pixels"])
    assert math.isnan(values["failing_pixels"])
    assert values["is_pixels"] > 0
    out = capsys.readouterr().out
    assert "fid_pixels cannot be computed: the features of the images contain NaN" in out
    assert "failing_pixels cannot be computed: linalg.eigh: failed to converge" in out


class NaNFeatures(Pixels):
    def extract(self, images):
        features, logits = super().extract(images)
        return torch.full_like(features, float("nan")), logits


USUAL = torch.rand(90, 4, generator=torch.Generator().manual_seed(0))
UNUSUAL = {
    "equal": torch.full((90, 4), 0.7),
    "zero": torch.zeros(90, 4),
    "NaN": torch.full((90, 4), float("nan")),
    "infinite": torch.full((90, 4), float("inf")),
    "huge": USUAL * 1e30,
    "one NaN": torch.where(torch.arange(90)[:, None] == 5, float("nan"), USUAL),
}


@pytest.mark.parametrize("kind", UNUSUAL)
@pytest.mark.parametrize("name", EVERY_SCORE)
def test_no_features_stop_a_score(name, kind, capsys):
    """Whatever the features are, no score fails, and the output names each value that is not finite."""
    labels = torch.arange(90) % 4
    for real, samples in ((UNUSUAL[kind], USUAL), (USUAL, UNUSUAL[kind]), (UNUSUAL[kind], UNUSUAL[kind])):
        scores = make_scores(
            {name: EVERY_SCORE[name]},
            {"train": real, "test": real},
            90,
            Stub(4, 4, knows_labels=True),
            class_reference=lambda c, real=real: make_reference(real[c::4]),
            reference_labels=labels,
            num_classes=4,
        )
        values = feed(scores, samples, samples, labels, images=torch.rand(90, 1, 8, 8)).compute()
        assert values.keys() == scores.info().keys()
        unusable = [value for value in values if not math.isfinite(values[value])]
        out = capsys.readouterr().out
        assert all(value in out for value in unusable)
        assert ("cannot be computed" in out) == bool(unusable)
