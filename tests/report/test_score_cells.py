"""The cells of the table of scores, and the bars in these cells."""

import pytest
from helpers.runs import make_run

from ganexp.report.collect import collect
from ganexp.report.report import Report
from ganexp.report.score_cells import Bar, BarScale, score_rows


@pytest.mark.parametrize(("value", "percent"), [(10, 0), (15, 50), (20, 100), (5, 0), (99, 100)])
def test_bar_scale_keeps_values_within_it(value, percent):
    assert BarScale(10, 20).percent(value) == percent
    assert BarScale(10, 10).percent(10) == 0


def test_cell_holds_mean_interval_and_bar(outputs):
    hinge, wgan_gp = score_rows(Report.from_runs(collect([outputs])))
    best_fid = hinge.cells[2]
    assert hinge.configuration.label == "loss=hinge"
    assert best_fid.text == "20.13 ± 0.35"
    assert best_fid.value == pytest.approx(20.1333333)
    assert best_fid.remark == "95 % interval · sd 0.14"
    assert best_fid.bar == Bar(mean=3, left=0, right=93)
    assert wgan_gp.cells[2].bar == Bar(mean=97, left=93, right=0)


def test_cell_of_one_seed_has_no_interval(tmp_path, hinge, wgan_gp):
    make_run(tmp_path / "a", hinge, 0, 20.0)
    make_run(tmp_path / "b", wgan_gp, 0, 30.0, scores={})
    first, second = score_rows(Report.from_runs(collect([tmp_path])))
    cell, missing = first.cells[2], second.cells[2]
    assert (cell.text, cell.remark, cell.bar.left, cell.bar.right) == ("20", "one seed", None, None)
    assert (missing.text, missing.value, missing.bar) == ("–", None, None)
