"""The HTML of a report's page, and the data for the script of the page; these tests need no browser."""

import base64
import json
import re
import zlib

from helpers.runs import SCORE_INFO, make_run, save_evaluated

from ganexp.commands.report import report
from ganexp.report.chart import chart_data
from ganexp.report.collect import collect
from ganexp.report.report import Report


def packed_curves(page):
    packed = re.search(r'id="packed-curves">([^<]*)<', page)[1]
    return json.loads(zlib.decompress(base64.b64decode(packed)))


def test_page_holds_scores_verdicts_and_directions(outputs):
    page = report([str(outputs)], images=False).read_text()
    assert '<span class="note">lower is better</span>' in page
    assert '<span class="note">higher is better</span>' in page
    assert '<td class="verdict yes">first is better</td>' in page
    assert "do not record their protocol" in page
    assert "images=false" in page
    assert not re.findall("<!--|{[{%#]", page.split("<body>")[1].split("<script")[0])


def test_title_is_before_picture_and_main_comparison_is_open(page_directory):
    page = (page_directory / "index.html").read_text()
    assert page.index("<h1>") < page.index('class="finding"') < page.index('<figure class="best">')
    before, after = page.split('<details class="more">', 1)
    folded = after.split("</details>")[0]
    assert "<h3>By fid_<wbr>classifier [?] (last evaluation)</h3>" in before
    shown = before.split('<table id="comparisons">')[1]
    firsts, scores = (re.findall(r'<tr><th scope="row">(.*?)</th>', part) for part in (shown, folded))
    assert firsts == ["loss=<wbr>hinge"]
    assert "fid_<wbr>classifier [?] best" in scores
    assert f"By other scores ({len(scores)} comparisons)" in folded


def test_cells_have_no_white_space_around_their_text(page_directory):
    page = (page_directory / "index.html").read_text()
    assert page.count("<td") > 100
    # The page sorts by the text of cells, so this text has no spaces at its ends.
    assert not re.findall(r"<(?:td|th)[^>]*>\s|\s</(?:td|th)>", page)


def test_page_names_protocols_and_what_differs(tmp_path, hinge):
    for seed, samples in enumerate((100, 500)):
        make_run(tmp_path / str(seed), hinge, seed, protocol={"samples": samples, "id": str(samples)})
    page = report([str(tmp_path)], images=False).read_text()
    assert "fid_classifier [A] best" in page
    assert "samples = 500" in page


def test_protocol_names_the_values_of_all_runs(tmp_path, hinge):
    """Runs with the same protocol id can differ in `weights` and `seen`; the page names the values of all runs."""
    for seed, (name, weights, seen) in enumerate(
        (("a", "raw", 0.51234567), ("a", "averaged (EMA)", 0.5), ("a", "raw", 0.5), ("b", "raw", 0.5))
    ):
        protocol = {"samples": 100, "weights": weights, "seen": seen, "id": name}
        run = make_run(tmp_path / name / str(seed), hinge, seed, protocol=protocol)
        save_evaluated(run, 3.0, protocol={"weights": weights, "id": "evaluated"})
    content = Report.from_runs(collect([tmp_path / "a"]))
    assert content.common_protocols()[:2] == [
        "Scores of ganexp evaluate: weights=raw or averaged (EMA).",
        "Scores of the training: samples=100, weights=raw or averaged (EMA), seen=0.512346 or 0.5.",
    ]
    notes = {note.letter: note.values for note in Report.from_runs(collect([tmp_path])).protocol_notes()}
    assert notes == {
        "A": {"weights": "raw or averaged (EMA)", "seen": "0.512346 or 0.5"},
        "B": {"weights": "raw", "seen": "0.5"},
    }


def test_chart_offers_scores_first_in_their_recorded_order(outputs):
    data = chart_data(Report.from_runs(collect([outputs])))
    names = list(data["quantities"])
    assert names[:2] == ["score/fid_classifier", "score/is_classifier"]
    assert names[2:] == [
        "loss/discriminator",
        "loss/discriminator/fake",
        "loss/discriminator/real",
        "loss/generator",
        "d_logit/fake",
        "d_logit/train",
    ]
    assert data["configurations"] == ["loss=hinge", "loss=wgan_gp"]
    assert [run["configuration"] for run in data["runs"]] == [0, 0, 0, 1, 1, 1]


def test_chart_takes_the_scale_of_a_score_from_the_run(outputs):
    quantities = chart_data(Report.from_runs(collect([outputs])))["quantities"]
    assert [quantities[f"score/{name}"]["log"] for name in ("fid_classifier", "is_classifier")] == [True, False]
    description = {"kind": "loss", "name": "generator", "markers": False, "log": False}
    assert quantities["loss/generator"] == description | {"baselines": []}


def test_chart_keeps_scores_of_two_protocols_apart(tmp_path, hinge):
    for seed, protocol in enumerate(({"id": "a"}, {"id": "a"}, None)):
        make_run(tmp_path / str(seed), hinge, seed, protocol=protocol)
    data = chart_data(Report.from_runs(collect([tmp_path])))
    assert list(data["quantities"])[:2] == ["score/fid_classifier [A]", "score/fid_classifier [?]"]
    assert "loss/generator" in data["quantities"]
    assert [any("score/fid_classifier [A]" in curve["values"] for curve in run["curves"]) for run in data["runs"]] == [
        True,
        True,
        False,
    ]


def test_page_says_what_all_configurations_share(tmp_path, hinge):
    protocol = {"id": "a", "extractor": "classifier", "samples": 5000, "weights_sha256": "ab" * 32, "accuracy": 1 / 3}
    for size in (32, 64):
        text = hinge.replace("batch_size: 64", f"batch_size: {size}")
        save_evaluated(make_run(tmp_path / str(size), text, protocol=protocol), 3.0)
    content = Report.from_runs(collect([tmp_path]))
    shared = report([str(tmp_path)], images=False).read_text().split("Settings that all configurations share")[1]
    assert content.shared["schedule.steps"] == 1000
    assert "schedule.batch_size" not in content.shared
    assert '<th scope="row">schedule.<wbr>steps</th><td data-sort="1000">1000</td>' in shared
    assert "2 configurations; steps: 1000<" in report([str(tmp_path)], images=False).read_text()
    assert content.common_protocols() == [
        "Scores of ganexp evaluate: extractor=classifier, samples=5000.",
        "Scores of the training: extractor=classifier, samples=5000, accuracy=0.333333.",
    ]


def test_packed_curves_are_the_chart_data(outputs):
    data = packed_curves(report([str(outputs)], images=False).read_text())
    assert data == json.loads(json.dumps(chart_data(Report.from_runs(collect([outputs])))))
    assert set(SCORE_INFO) - {name.removeprefix("score/") for name in data["quantities"]} == {"is_classifier_std"}


def test_text_from_runs_is_not_markup(page_directory):
    page = (page_directory / "index.html").read_text()
    assert "pwned" in page  # shown as text
    for markup in ("<img src=x", "</script><img", "<script>document"):
        assert markup not in page
        assert markup not in (page_directory / "table.md").read_text()
    assert re.findall(r"<script[^>]*>", page) == [
        '<script type="application/octet-stream" id="packed-curves">',
        '<script type="application/octet-stream" id="packed-plotly">',
        "<script>",
    ]
    assert "default-src 'none'" in page
    links = re.findall(r'(?:src|href)="(?!#|data:)([^"]*)"', page)
    # The link is relative, and its special characters are percent-encoded.
    assert links == ["../%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E/nearest.png"]
