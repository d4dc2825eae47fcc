"""What is printed with the scores of one evaluation."""

import json
from types import SimpleNamespace

import pytest
import torch
from helpers.scores import CPU, Stub, make_scores

from ganexp.commands.score_table import save_scores, score_table, warn_of_few_images
from ganexp.metrics.collection import Scores
from ganexp.metrics.diversity import Diversity
from ganexp.metrics.fid import FID
from ganexp.metrics.fid_infinity import FIDInfinity
from ganexp.metrics.fid_interval import FIDInterval
from ganexp.metrics.inception_score import InceptionScore
from ganexp.metrics.intra_fid import IntraFID
from ganexp.metrics.kid import KID
from ganexp.metrics.labels import SampleLabels


def warned(capsys, metrics, samples, real_images, only_samples=False, dim=2, **options):
    """Return the printed warning about too few images, if any; the reference `train` has 60,000 images."""
    references = {"train": SimpleNamespace(count=60_000), "test": SimpleNamespace(count=real_images)}
    factories = {metric.__name__: metric for metric in metrics}
    options.setdefault("class_reference", lambda label: None)
    warn_of_few_images(Scores(Stub(dim), references, samples, CPU, factories, **options), only_samples)
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("metrics", "samples", "real_images", "beginning"),
    [
        ([FID], 400, 5_000, "warning: 400 samples are few: "),
        ([KID, FID], 10_000, 1_438, "warning: 1,438 real images (test) are few: "),
        ([FID], 400, 359, "warning: 400 samples and 359 real images (test) are few: "),
        ([FID], 5_000, 5_000, ""),
        ([KID], 400, 300, ""),
    ],
)
def test_few_images_are_named_if_they_bias_a_score(capsys, metrics, samples, real_images, beginning):
    printed = warned(capsys, metrics, samples, real_images)
    assert (printed.startswith(beginning) and printed.count("\n") == 1) if beginning else not printed
    of_samples = warned(capsys, metrics, samples, real_images, only_samples=True)
    assert of_samples.startswith("warning: 400 samples are few: ") == ("400 samples" in beginning)


@pytest.mark.parametrize(
    ("of_class", "class_images", "few"),
    [
        ([6_000, 6_000], [30_000, 30_000], ""),
        ([6_000, 4_000], [30_000, 30_000], "4,000 samples of a class"),
        ([6_000, 6_000], [59_000, 1_000], "1,000 real images of a class (train)"),
        ([100, 12_000], [59_500, 500], "100 samples of a class and 500 real images of a class (train)"),
        ([12_000, 0], [60_000, 0], ""),  # a class without samples is not scored
    ],
)
def test_smallest_class_decides_whether_images_within_classes_are_few(capsys, of_class, class_images, few):
    labels = SampleLabels(torch.arange(2).repeat_interleave(torch.tensor(of_class)), ["a", "b"])
    options = {"labels": labels, "class_images": class_images}
    printed = warned(capsys, [IntraFID, FID], sum(of_class), 60_000, **options)
    assert printed.startswith(f"warning: {few} are few: with fewer than 5,000 images") if few else not printed


@pytest.mark.parametrize(
    ("dim", "samples", "is_few"), [(2048, 10_000, True), (2048, 50_000, False), (256, 10_000, False)]
)
def test_extrapolated_fid_needs_samples_for_each_feature(capsys, dim, samples, is_few):
    printed = warned(capsys, [FIDInfinity, FID], samples, 60_000, dim=dim)
    expected = f"warning: {samples:,} samples are few: with fewer than {20 * dim:,} images"
    assert printed.startswith(expected) if is_few else not printed


def test_arrows_show_which_values_are_better():
    metrics = {"is": InceptionScore, "fid_test": FID, "diversity": Diversity}
    info = {name: {"higher_is_better": metric.higher_is_better} for name, metric in metrics.items()}
    info["fid_test"] |= {"reference": "test", "row": "fid"}
    table = score_table(dict.fromkeys(metrics, 1.0), info, ["train", "test"])
    assert list(table.columns[0].cells) == ["is ↑", "fid ↓", "diversity"]


@pytest.mark.parametrize(
    ("extractor", "splits"),
    [("x", ["train", "test"]), ("test_vit", ["train", "test"]), ("inception", ["test", "train", "train+test"])],
)
def test_values_are_in_the_columns_of_their_references(extractor, splits):
    stub = Stub(2)
    stub.name = extractor
    factories = {"fid": lambda context: FID(context, [5]), "kid": KID, "interval": FIDInterval, "distance": Diversity}
    scores = make_scores(factories, {split: torch.rand(9, 2) for split in splits}, 10, stub)
    info = scores.info()
    table = score_table({name: float(place) for place, name in enumerate(info)}, info, splits)
    rows = [f"fid_{extractor}_5 ↓", f"fid_{extractor} ↓", f"kid_{extractor} ↓", f"distance_{extractor}"]
    names, *columns = (list(column.cells) for column in table.columns)
    assert names == rows
    assert all("" not in column[:3] for column in columns)
    assert [column[3] for column in columns] == [f"{len(info) - 1}", *[""] * (len(splits) - 1)]
    for split, column in zip(splits, columns, strict=True):
        first = list(info).index(f"fid_{extractor}" + (f"_{split}" if split != splits[0] else ""))
        assert column[1].startswith(f"{first}  (")
        assert "±" in column[2]


@pytest.mark.parametrize("splits", [["train"], ["train", "test"], ["test", "train", "train+test"]])
@pytest.mark.parametrize("factory", [FIDInterval, InceptionScore, KID])
def test_deviations_without_their_score_have_rows_of_their_own(factory, splits):
    scores = make_scores({"score": factory}, {split: torch.rand(20, 2) for split in splits}, 30, Stub(2, 2))
    info = scores.info()
    spreads = [name for name in info if "spread_of" in info[name]]
    table = score_table({name: float(place) for place, name in enumerate(spreads)}, info, splits)
    cells = [cell for column in table.columns[1:] for cell in column.cells]
    assert {cell for cell in cells if cell} == {str(place) for place in range(len(spreads))}


def test_ends_of_an_interval_are_in_the_columns_of_their_references():
    splits = ["train", "test"]
    info = make_scores({"interval": FIDInterval}, {split: torch.rand(9, 2) for split in splits}, 9, Stub(2)).info()
    table = score_table({name: float(place) for place, name in enumerate(info)}, info, splits)
    columns = [list(column.cells) for column in table.columns]
    assert columns == [["fid_stub_low", "fid_stub_high"], ["0", "1"], ["2", "3"]]


def test_score_whose_name_ends_like_a_deviation_is_none():
    info = {name: {"higher_is_better": True} for name in ("x", "x_std", "x_low")}
    table = score_table({"x": 1.0, "x_std": 2.0, "x_low": 3.0}, info, ["train"])
    assert [list(column.cells) for column in table.columns] == [["x ↑", "x_std ↑", "x_low ↑"], ["1", "2", "3"]]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"x": 7.54451}, "7.545"),
        ({"x": 7.54451, "x_std": 0.0951}, "7.545 ± 0.095"),
        ({"x": 12.3456, "x_std": 3.21}, "12.3 ± 3.2"),
        ({"x": 7.54451, "x_std": 0.0}, "7.545 ± 0"),
        ({"x": 7.54451, "x_std": float("nan")}, "7.545 ± nan"),
        ({"x": 20.0, "x_low": 18.123, "x_high": 22.0}, "20  (18.12 to 22)"),
    ],
)
def test_score_has_the_digits_of_its_deviation(values, text):
    info = {name: {"spread_of": "x"} for name in values if name != "x"}
    table = score_table(values, info, ["train"])
    assert [list(column.cells) for column in table.columns] == [["x"], [text]]


RECORD = {
    "scores": {"fid": 3.0},
    "protocol": {"id": "a", "references": {"train": {"images": 5}}},
    "step": 4,
    "checkpoint": "run/checkpoints/best.ckpt",
}


@pytest.mark.parametrize(
    ("before", "printed"),
    [
        (RECORD, ""),
        (RECORD | {"scores": {"fid": 2.0}}, ""),  # the same scores, computed again
        (RECORD | {"scores": {"fid": 3.0, "kid": 0.5, "is": 7.25}}, "kid 0.5, is 7.25"),
        (RECORD | {"protocol": {"id": "b"}}, "fid 3"),
        (RECORD | {"step": 2}, "fid 3"),
        (RECORD | {"checkpoint": "other/checkpoints/best.ckpt", "scores": {"kid": 0.5}}, "kid 0.5"),
        (RECORD | {"images": "elsewhere"}, "fid 3"),
        ({"scores": [1]}, ""),
        ([1], ""),
        (None, ""),
    ],
)
def test_scores_that_are_replaced_are_printed(tmp_path, capsys, before, printed):
    if before is not None:
        (tmp_path / "scores.json").write_text(json.dumps(before))
    save_scores(RECORD, tmp_path / "scores.json")
    lines = [line for line in capsys.readouterr().out.splitlines() if "had other scores, which are replaced: " in line]
    assert [line.partition("replaced: ")[2] for line in lines] == ([printed] if printed else [])
    assert json.loads((tmp_path / "scores.json").read_text())["scores"] == RECORD["scores"]
