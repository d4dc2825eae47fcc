"""The report as CSV, as Markdown and on the terminal."""

import csv
import io
import re

import pytest
from helpers.runs import make_run
from rich.console import Console
from scipy import stats

from ganexp.console import TableConsole
from ganexp.report.collect import collect
from ganexp.report.formatting import mean_and_half, number
from ganexp.report.page import as_page
from ganexp.report.report import Report
from ganexp.report.statistics import LEVEL, summarize
from ganexp.report.tables import as_csv, as_markdown
from ganexp.report.terminal import MAX_ROWS, MAX_VERDICTS, label_lines, left_out, numbered, score_table, verdict_lines


def csv_rows(content):
    return {row["configuration"]: row for row in csv.DictReader(io.StringIO(as_csv(content)))}


def test_csv_has_a_row_for_each_configuration_with_all_digits(outputs):
    rows = csv_rows(Report.from_runs(collect([outputs])))
    assert set(rows) == {"loss=hinge", "loss=wgan_gp"}
    row = rows["loss=hinge"]
    values = [20.0, 20.12, 20.28]
    low, high = stats.t.interval(0.95, 2, loc=stats.tmean(values), scale=stats.sem(values))
    assert (row["runs"], row["n"], row["fid_classifier_best_n"]) == ("3", "3", "3")
    assert float(row["fid_classifier_best_mean"]) == pytest.approx(stats.tmean(values))
    assert float(row["fid_classifier_best_sd"]) == pytest.approx(stats.tstd(values))
    assert float(row["fid_classifier_best_low"]) == pytest.approx(low)
    assert float(row["fid_classifier_last_high"]) == pytest.approx(high + 1)
    assert row["loss.adversarial._target_"].endswith("Hinge")
    assert not {"seed", "name", "schedule.steps", "data.root"} & row.keys()


def test_csv_quotes_what_a_spreadsheet_would_compute(tmp_path, hinge):
    make_run(tmp_path / "run", hinge, name="=HYPERLINK(1)")
    assert as_csv(Report.from_runs(collect([tmp_path]))).splitlines()[1].startswith("'=HYPERLINK(1)")


def test_markdown_has_scores_directions_and_uncounted_runs(outputs, hinge):
    make_run(outputs / "failed", hinge, 3, 900, status="failed", error="The run diverged: loss\nTry", scores={})
    make_run(outputs / "running", hinge, 4, 900, status="running")
    (outputs / "broken").mkdir()
    (outputs / "broken" / "config.yaml").write_text("a: [")
    (outputs / "broken" / "run.json").write_text("{}")
    text = as_markdown(Report.from_runs(collect([outputs])))
    for expected in (
        "Lower is better: fid_classifier. Higher is better: is_classifier.",
        "| loss=hinge | 3 | 21.13 ± 0.35 |",
        "failed: The run diverged: loss Try",
        "| running | running |",
        "| broken | unreadable |",
        "no verdict: of first, 1 of 5 seeds ended early",
    ):
        assert expected in text


def test_markdown_escapes_what_runs_call_themselves(tmp_path, hinge):
    make_run(tmp_path / "run", hinge, name="<b>|[x](y)`*")
    text = as_markdown(Report.from_runs(collect([tmp_path])))
    assert "| &lt;b>\\|[x\\](y)\\`\\* |" in text


def test_markdown_is_readable_where_nothing_is_markup(outputs, hinge):
    for seed, protocol in enumerate(({"id": "a"}, {"id": "b"})):
        make_run(outputs / "other" / str(seed), hinge, 7 + seed, protocol=protocol, groups={"loss": "hinge"})
    text = as_markdown(Report.from_runs(collect([outputs])))
    assert "p < 0.05" in text
    assert "fid_classifier [A] last" in text
    assert "&lt;" not in text
    assert "\\" not in text


def test_table_in_a_pipe_is_not_wider_than_a_terminal(tmp_path, hinge):
    make_run(tmp_path / "run", hinge, extra_scores={f"score{number}_classifier": 1.0 for number in range(20)})
    content = Report.from_runs(collect([tmp_path]))
    assert len(score_table(content, 100_000).columns) == len(score_table(content, 140).columns) < 10
    assert "more scores in the files below" in left_out(content, 100_000)


def test_terminal_shows_as_many_scores_as_fit(outputs):
    content = Report.from_runs(collect([outputs]))
    assert [len(score_table(content, width).columns) for width in (40, 80, 200)] == [3, 4, 4]
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(score_table(content, 100))
    text = console.export_text()
    assert "fid_classifier" in text
    assert "21.13 ± 0.35" in text
    assert "3 of 3" in text


def test_seeds_of_replaced_runs_are_not_counted_twice(outputs, hinge):
    make_run(outputs / "again", hinge, 0, 20.5, started="2026-02-01T00:00:00+00:00", groups={"loss": "hinge"})
    make_run(outputs / "failed", hinge, 3, status="failed", groups={"loss": "hinge"})
    content = Report.from_runs(collect([outputs]))
    assert list(score_table(content, 1000).columns[1].cells) == ["3 of 4", "3 of 3"]
    assert re.findall(r'<span class="note">(of \d+)</span>', as_page(content, None)) == ["of 4"]


def test_terminal_tells_what_it_leaves_out(tmp_path, hinge):
    for size in range(1, MAX_ROWS + 3):
        text = hinge.replace("batch_size: 64", f"batch_size: {size}")
        make_run(tmp_path / str(size), text, extra_scores={"kid_classifier": 1.0, "density": 1.0})
    content = Report.from_runs(collect([tmp_path]))
    assert left_out(content, 80) == "1 more score and 2 more configurations in the files below"
    assert left_out(content, 1000) == "2 more configurations in the files below"
    assert score_table(content, 1000).row_count == MAX_ROWS


@pytest.mark.parametrize("width", [60, 80, 120])
def test_long_labels_are_cut_and_explained_below(tmp_path, hinge, width):
    for index in range(2):
        text = hinge.replace("batch_size: 64", f"batch_size: {8 + index}")
        for seed in range(2):
            groups = {"loss": f"{'l' * 80}{index}"}
            make_run(
                tmp_path / f"{index}-{seed}", text, seed, 20.0 + 5 * index + seed * (1 + 0.1 * index), groups=groups
            )
    content = Report.from_runs(collect([tmp_path]))
    console = TableConsole(width=width, record=True, file=io.StringIO())
    console.print(score_table(content, width))
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= width
    (row,) = [line for line in lines if line.startswith("│ 2 ")]
    assert "│ loss=llllllll" in row
    assert "… │ 2 of 2 │" in row
    labels = [each.label for each in content.configurations]
    assert label_lines(content, width) == [f"#1 {labels[0]}", f"#2 {labels[1]}"]
    with numbered(content):
        assert verdict_lines(content)[0] == "fid_classifier last: #1 against #2: first is better"
    assert [each.label for each in content.configurations] == labels
    assert label_lines(content, 1000) == []


def test_interval_has_the_level_of_the_statistics(outputs):
    content = Report.from_runs(collect([outputs]))
    assert f"| {100 * LEVEL:g} % interval |" in as_markdown(content)
    assert f"{100 * LEVEL:g} % interval" in as_page(content, None)


def test_terminal_shows_separable_verdicts_first(outputs, hinge):
    for seed, fid in enumerate((19, 22, 25)):
        text = hinge.replace("batch_size: 64", "batch_size: 32")
        make_run(outputs / "close" / str(seed), text, seed, fid, groups={"loss": "hinge"})
    lines = verdict_lines(Report.from_runs(collect([outputs])))
    verdicts = [line.split(": ", 2)[-1] for line in lines]
    assert all(line.startswith(("fid_classifier last: ", "is_classifier last: ")) for line in lines)
    assert len({verdict.startswith("not separable") for verdict in verdicts}) == 2
    assert sorted(verdicts, key=lambda verdict: verdict.startswith("not separable")) == verdicts


def test_terminal_counts_the_verdicts_that_it_leaves_out(tmp_path, hinge):
    for size in (8, 16, 32, 64):
        for seed in range(2):
            text = hinge.replace("batch_size: 64", f"batch_size: {size}")
            make_run(tmp_path / f"{size}-{seed}", text, seed, 20.0 + size * seed)
    lines = verdict_lines(Report.from_runs(collect([tmp_path])))  # 6 pairs, each compared by two scores
    assert len(lines) == MAX_VERDICTS + 1
    assert lines[-1] == "further comparisons in the files below: 6, of which 0 are separable"


@pytest.mark.parametrize(
    ("values", "counted", "text"),
    [
        ([], 3, "–"),
        ([40.44], 1, "40.44"),
        ([40.0, 41.0], 2, "40.5 ± 6.4"),
        ([40.0, 41.0], 3, "40.5 ± 6.4 (n=2)"),
        ([3.07, 3.0702], 2, "3.0701 ± 0.0013"),
        ([1000, 1020], 2, "1010 ± 130"),
        ([5.0, 5.0], 2, "5 ± 0"),
    ],
)
def test_mean_is_shown_with_half_of_its_interval(values, counted, text):
    assert mean_and_half(summarize(values), counted) == text
    assert number(None) == "–"
