"""A report shows the scores of real images beside the curves of runs."""

import json

import pytest
from helpers.runs import make_run

from ganexp.report.baseline import find_baselines
from ganexp.report.chart import chart_data
from ganexp.report.collect import collect
from ganexp.report.report import Report

REFERENCES = {"train": {"images": 1438, "sha256": "aa"}}
PROTOCOL = {"extractor": "classifier", "weights_sha256": "bb", "references": REFERENCES}


def save_real(directory, **changes):
    directory.mkdir(exist_ok=True)
    record = {
        "scores": {"fid_classifier": 0.5, "kid_classifier": 0.1},
        "protocol": PROTOCOL | {"samples": 1359, "id": "real", "data": "digits"},
        "images": None,
        "real": "test",
    }
    (directory / "scores.json").write_text(json.dumps(record | changes))


def baselines_of(directory):
    content = Report.from_runs(collect([directory]), find_baselines([directory]))
    quantities = chart_data(content)["quantities"]
    return {key: found for key, each in quantities.items() if (found := each["baselines"])}


@pytest.fixture
def run(tmp_path, hinge):
    protocol = PROTOCOL | {"samples": 10_000, "id": "training", "seed": 10_000}
    return make_run(tmp_path / "run", hinge, protocol=protocol)


def test_curves_of_a_score_have_that_of_real_images(tmp_path, run):
    save_real(tmp_path / "real")
    assert baselines_of(tmp_path) == {
        "score/fid_classifier": [{"title": "1,359 real images (test)", "value": 0.5}],
    }


@pytest.mark.parametrize("directories", [("", "real"), ("real", ""), ("", ""), ("real", "run/../real")])
def test_baseline_in_several_of_the_directories_is_read_once(tmp_path, run, directories):
    save_real(tmp_path / "real")
    assert len(find_baselines([tmp_path / name for name in directories])) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"images": "some/directory"},
        {"protocol": PROTOCOL | {"weights_sha256": "cc"}},
        {"protocol": PROTOCOL | {"references": {"test": {"images": 5, "sha256": "dd"}}}},
        {"protocol": {}},
        {"scores": {"fid_classifier": "x"}},
        {"real": ["test"]},
    ],
)
def test_other_images_and_protocols_are_no_baseline(tmp_path, run, changes):
    save_real(tmp_path / "real", **changes)
    assert baselines_of(tmp_path) == {}


def test_scores_of_a_run_are_no_baseline(tmp_path, run):
    save_real(run)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "scores.json").write_text("{")
    assert baselines_of(tmp_path) == {}
