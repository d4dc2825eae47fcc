"""The HTML of the page and the data of its script, without a browser."""

import base64
import json
import re
import zlib

import pytest
from helpers.runs import SCORE_INFO, make_run

from ganexp.commands.report import report
from ganexp.report.chart import chart_data
from ganexp.report.collect import collect
from ganexp.report.details import details
from ganexp.report.html import element, number_cell, setting_cell, text, void_element
from ganexp.report.report import Report
from ganexp.report.sections import BarScale


def packed_curves(page):
    packed = re.search(r'id="packed-curves">([^<]*)<', page)[1]
    return json.loads(zlib.decompress(base64.b64decode(packed)))


def test_element_escapes_attributes_and_drops_absent_ones():
    made = element("td", text("<&"), class_="a b", data_sort='"', hidden=True, selected=False, id=None)
    assert made == '<td class="a b" data-sort="&quot;" hidden>&lt;&amp;</td>'
    assert void_element("img", alt="'") == '<img alt="&#x27;">'


def test_cells_sort_by_their_value():
    assert number_cell("−1.5", -1.5) == '<td class="n" data-sort="-1.5">−1.5</td>'
    assert number_cell("–") == '<td class="n" data-sort="">–</td>'
    assert setting_cell("model.norm", "<b>") == "<td>&lt;b&gt;</td>"
    assert setting_cell("optimizer.lr", 0.0002) == '<td data-sort="0.0002">0.0002</td>'


@pytest.mark.parametrize(("value", "percent"), [(10, 0), (15, 50), (20, 100), (5, 0), (99, 100)])
def test_bar_scale_keeps_values_within_it(value, percent):
    assert BarScale(10, 20).percent(value) == percent
    assert BarScale(10, 10).percent(10) == 0


def test_page_holds_scores_verdicts_and_directions(outputs):
    page = report([str(outputs)], images=False).read_text()
    assert '<span class="note">lower is better</span>' in page
    assert '<span class="note">higher is better</span>' in page
    assert '<td class="yes">first is better</td>' in page
    assert "Lower is better: fid_classifier. Higher is better: is_classifier." in page
    assert "do not record their protocol" in page
    assert "images=false" in page
    assert "<!--" not in page


def test_page_names_protocols_and_what_differs(tmp_path, hinge):
    for seed, samples in enumerate((100, 500)):
        make_run(tmp_path / str(seed), hinge, seed, protocol={"samples": samples, "id": str(samples)})
    page = report([str(tmp_path)], images=False).read_text()
    assert "fid_classifier [A] best" in page
    assert "samples = 500" in page


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
    assert data["groups"] == ["loss=hinge", "loss=wgan_gp"]
    assert [run["group"] for run in data["runs"]] == [0, 0, 0, 1, 1, 1]


def test_chart_takes_the_scale_of_a_score_from_the_run(outputs):
    quantities = chart_data(Report.from_runs(collect([outputs])))["quantities"]
    assert [quantities[f"score/{name}"]["log"] for name in ("fid_classifier", "is_classifier")] == [True, False]
    assert quantities["loss/generator"] == {"kind": "loss", "name": "generator", "markers": False, "log": False}


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


def test_packed_curves_are_the_chart_data(outputs):
    page = report([str(outputs)], images=False).read_text()
    data = packed_curves(page)
    assert data == json.loads(json.dumps(chart_data(Report.from_runs(collect([outputs])))))
    assert set(SCORE_INFO) - {name.removeprefix("score/") for name in data["quantities"]} == {"is_classifier_std"}


def test_run_section_shows_only_unusual_settings(outputs, hinge):
    make_run(outputs / "small", hinge.replace("batch_size: 64", "batch_size: 8"), 5, groups={"loss": "hinge"})
    sections = details(Report.from_runs(collect([outputs]))).split('<details class="run">')
    small = next(section for section in sections if "<b>small</b>" in section)
    table = small.split("Settings that differ", 1)[1].split("</table>")[0]
    assert table.count("<tr>") == 2  # the head and one setting
    assert '<th scope="row">schedule.batch_size</th><td data-sort="8">8</td><td data-sort="64">64</td>' in table
    assert "Settings that differ" not in next(section for section in sections if "<b>hinge/seed-0</b>" in section)


def test_text_from_runs_is_not_markup(page_directory):
    page = (page_directory / "index.html").read_text()
    assert "pwned" in page  # as text
    for markup in ("<img src=x", "</script><img", "<script>document"):
        assert markup not in page
        assert markup not in (page_directory / "table.md").read_text()
    assert re.findall(r"<script[^>]*>", page) == [
        '<script type="application/octet-stream" id="packed-curves">',
        '<script type="application/octet-stream" id="packed-plotly">',
        "<script>",
    ]
    assert "default-src 'none'" in page
    assert not re.findall(r'(?:src|href)="(?!#|data:)', page)
