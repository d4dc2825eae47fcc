"""`ganexp report` on run folders made for it: what is read, grouped, averaged, compared and written."""

import csv
import resource
import subprocess
import sys

import pytest
from helpers.cli import ganexp
from helpers.runs import make_run, template
from scipy import stats

from ganexp.errors import UserError
from ganexp.report import statistics
from ganexp.report.collect import collect
from ganexp.report.curves import POINTS
from ganexp.report.tables import Report

A, B = [12.1, 13.4, 11.8, 12.9], [14.0, 14.9, 13.1, 15.2]


@pytest.fixture(scope="module")
def texts():
    return {"hinge": template("loss=hinge"), "wgan_gp": template("loss=wgan_gp")}


@pytest.fixture
def runs(tmp_path, texts):
    """Two losses, three seeds each; the second scores clearly worse."""
    for loss, base in (("hinge", 20.0), ("wgan_gp", 30.0)):
        for seed in range(3):
            where = tmp_path / "outputs" / loss / f"seed-{seed}"
            make_run(where, texts[loss], seed, base + 0.1 * seed + 0.02 * seed**2, groups={"loss": loss})
    return tmp_path / "outputs"


def table(folder):
    with (folder / "table.csv").open() as file:
        return {row["group"]: row for row in csv.DictReader(file)}


def test_interval_is_scipys():
    found = statistics.summarize(A)
    low, high = stats.t.interval(0.95, 3, loc=stats.tmean(A), scale=stats.sem(A))
    assert (found.mean, found.sd) == pytest.approx((stats.tmean(A), stats.tstd(A)), rel=1e-12)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-10)


def test_paired_difference_is_scipys():
    found = statistics.difference(dict(enumerate(A)), dict(enumerate(B)))
    expected = stats.ttest_rel(A, B)
    interval = expected.confidence_interval(0.95)
    assert (found.kind, found.n) == ("paired", (4, 4))
    assert (found.p, found.low, found.high) == pytest.approx((expected.pvalue, *interval), rel=1e-10)


def test_difference_of_other_seeds_is_scipys_welch():
    found = statistics.difference(dict(enumerate(A)), dict(enumerate(B[:3], start=9)))
    expected = stats.ttest_ind(A, B[:3], equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert (found.kind, found.n) == ("Welch", (4, 3))
    assert (found.p, found.low, found.high) == pytest.approx((expected.pvalue, *interval), rel=1e-10)


def test_a_subset_of_seeds_is_paired_over_itself():
    found = statistics.difference({0: 1.0, 1: 2.0, 2: 9.0}, {0: 0.5, 1: 1.0})
    assert (found.kind, found.n, found.mean) == ("paired", (2, 2), 0.75)


def test_equal_differences_are_certain_and_equal_values_are_not_different():
    assert statistics.difference({0: 1.0, 1: 2.0}, {0: 2.0, 1: 3.0}).p == 0
    assert statistics.difference({0: 1.0, 1: 2.0}, {0: 1.0, 1: 2.0}).p == 1
    assert statistics.difference({0: 1.0, 1: 1.0}, {7: 1.0, 8: 1.0}).p == 1


def test_holm():
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])  # Holm's own example
    assert statistics.holm([0.01, 0.004], total=10) == pytest.approx([0.09, 0.04])
    assert statistics.holm([]) == []


def test_runs_of_one_configuration_are_one_row(runs):
    ganexp("report", "outputs", "images=false", cwd=runs.parent)
    rows = table(runs / "report")
    assert set(rows) == {"loss=hinge", "loss=wgan_gp"}
    found = rows["loss=hinge"]
    values = [20.0, 20.12, 20.28]
    low, high = stats.t.interval(0.95, 2, loc=stats.tmean(values), scale=stats.sem(values))
    assert (found["n"], found["fid_classifier_best_n"]) == ("3", "3")
    assert float(found["fid_classifier_best_mean"]) == pytest.approx(stats.tmean(values))
    assert float(found["fid_classifier_best_sd"]) == pytest.approx(stats.tstd(values))
    assert float(found["fid_classifier_best_low"]) == pytest.approx(low)
    assert float(found["fid_classifier_last_high"]) == pytest.approx(high + 1)
    assert found["loss.adversarial._target_"].endswith("Hinge")
    assert not {"seed", "name", "schedule.steps", "data.root"} & found.keys()


def test_verdicts(runs):
    found = {one.column.title: one for one in Report.of(collect([runs])).comparisons}
    assert found["fid_classifier best"].verdict == "first is better"  # hinge: lower
    assert found["is_classifier best"].verdict == "first is better"  # and higher, for this score
    assert found["fid_classifier best"].difference.kind == "paired"


def test_what_seeds_do_not_separate_is_said(tmp_path, texts):
    for loss, fids in (("hinge", (20, 25, 22)), ("wgan_gp", (21, 22, 24))):
        for seed, fid in enumerate(fids):
            make_run(tmp_path / loss / str(seed), texts[loss], seed, fid, groups={"loss": loss})
    make_run(tmp_path / "single", template("loss=wgan"), 7, 90, groups={"loss": "wgan"})
    found = Report.of(collect([tmp_path]))
    verdicts = {(one.column.title, one.first.label, one.second.label): one for one in found.comparisons}
    both = verdicts["fid_classifier last", "loss=hinge", "loss=wgan_gp"]
    assert both.verdict == "not separable at n=3"
    assert verdicts["fid_classifier last", "loss=hinge", "loss=wgan"].verdict == "not separable at n=3 and 1"
    ganexp("report", str(tmp_path), "images=false", cwd=tmp_path)
    assert "not separable at n=3" in (tmp_path / "report" / "table.md").read_text()
    assert "not separable at n=3" in (tmp_path / "report" / "index.html").read_text()


def test_more_groups_are_compared_with_the_best_and_corrected_as_if_all(tmp_path, texts):
    for place in range(14):
        text = texts["hinge"].replace("batch_size: 64", f"batch_size: {64 + place}")
        for seed in range(2):
            make_run(tmp_path / f"{place}-{seed}", text, seed, 30.0 - place + 0.1 * seed * place)
    found = [one for one in Report.of(collect([tmp_path])).comparisons if one.column.title == "fid_classifier best"]
    assert len(found) == 13
    assert {one.family for one in found} == {91}
    assert {one.first.label for one in found} == {"schedule.batch_size=77"}


def test_unfinished_failed_and_repeated_runs_are_listed_not_averaged(runs, texts):
    make_run(runs / "failed", texts["hinge"], 3, 900, status="failed", error="The run diverged: loss\nTry", scores={})
    make_run(runs / "running", texts["hinge"], 4, 900, status="running")
    make_run(runs / "again", texts["hinge"], 0, 20.5, started="2026-02-01T00:00:00+00:00", groups={"loss": "hinge"})
    (runs / "broken").mkdir()
    (runs / "broken" / "config.yaml").write_text("a: [")
    (runs / "broken" / "run.json").write_text("{}")
    done = ganexp("report", "outputs", "images=false", cwd=runs.parent)
    found = table(runs / "report")["loss=hinge"]
    assert (found["runs"], found["n"]) == ("6", "3")
    assert float(found["fid_classifier_best_mean"]) == pytest.approx((20.5 + 20.12 + 20.28) / 3)
    assert "4 of 10 runs enter no mean" in done.stdout
    assert "fid_classifier last: loss=hinge against loss=wgan_gp: " in done.stdout
    text = (runs / "report" / "table.md").read_text()
    for words in (
        "failed: The run diverged",
        "| running | running |",
        "again has the same settings and seed",
        "| broken |",
    ):
        assert words in text


def test_scores_of_two_protocols_share_no_column(tmp_path, texts):
    one, two = (
        {"extractor": "classifier", "samples": samples, "id": name} for samples, name in ((100, "aa"), (500, "bb"))
    )
    for loss in ("hinge", "wgan_gp"):
        for seed in range(3):
            protocol = two if (loss, seed) == ("hinge", 2) else one
            make_run(
                tmp_path / loss / str(seed), texts[loss], seed, 20 + seed, protocol=protocol, groups={"loss": loss}
            )
    make_run(tmp_path / "old", texts["hinge"], 9, 5.0, groups={"loss": "hinge"})
    report = Report.of(collect([tmp_path]))
    assert report.letters == {"aa": "A", "bb": "B", "?": "?"}
    assert dict(report.protocols()) == {
        "A": [("samples", "100")],
        "B": [("samples", "500")],
        "?": [("protocol", "not recorded")],
    }
    cells = dict(zip([column.title for column in report.columns], report.cells(report.groups[0]), strict=True))
    assert {title: cell.n for title, cell in cells.items() if title.startswith("fid") and title.endswith("best")} == {
        "fid_classifier [A] best": 2, "fid_classifier [B] best": 1, "fid_classifier [?] best": 1}  # fmt: skip
    assert {one.column.letter for one in report.comparisons} == {"A"}
    ganexp("report", str(tmp_path), cwd=tmp_path)
    page = (tmp_path / "report" / "index.html").read_text()
    assert "fid_classifier [A] best" in page
    assert "samples = 500" in page


def test_a_setting_that_an_older_version_had_not_means_its_default(tmp_path, texts):
    older = "".join(line for line in texts["hinge"].splitlines(True) if "best_by" not in line)
    assert older != texts["hinge"]
    make_run(tmp_path / "old", older, 0)
    make_run(tmp_path / "new", texts["hinge"], 1)
    assert len(Report.of(collect([tmp_path])).groups) == 1


def test_where_the_weights_lie_is_no_setting(tmp_path):
    """Two machines, one file of weights."""
    for seed in range(2):
        text = template("metrics=inception", f"metrics.weights=/machine-{seed}/inception.pth")
        make_run(tmp_path / str(seed), text, seed)
    (one,) = Report.of(collect([tmp_path])).groups
    assert len(one.counted) == 2


def test_a_label_has_as_few_words_as_tell_a_group_apart(tmp_path, texts):
    longer = texts["hinge"].replace("steps: 1000", "steps: 2000")
    for name, text, loss in (
        ("a", texts["hinge"], "hinge"),
        ("b", longer, "hinge"),
        ("c", texts["wgan_gp"], "wgan_gp"),
    ):
        make_run(tmp_path / name, text, groups={"data": "digits", "loss": loss})
    labels = [one.label for one in Report.of(collect([tmp_path])).groups]
    assert labels == ["loss=hinge, schedule.steps=1000", "loss=hinge, schedule.steps=2000", "loss=wgan_gp"]


def test_two_folders_of_images_are_two_configurations(tmp_path, texts):
    for name, path in (("a", "/here/cats"), ("b", "/there/cats"), ("c", "/here/dogs")):
        make_run(tmp_path / name, texts["hinge"].replace("path: null", f"path: {path}", 1))
    assert [len(one.runs) for one in Report.of(collect([tmp_path])).groups] == [2, 1]


def test_warnings(tmp_path, texts):
    make_run(tmp_path / "a", texts["hinge"].replace("steps: 1000", "steps: 2000"), git_dirty=True)
    run = make_run(tmp_path / "b", texts["hinge"].replace("steps: 1000", "steps: 2000"), 1)
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 1500, "loss/generator": NaN}\n{"step": 16')
    found = collect([tmp_path])
    report = Report.of(found)
    assert found[0].warnings[0] == "shorter than planned: step 1000 of 2000"
    assert found[0].warnings[1].startswith("git tree was dirty")
    assert "diverged: a loss or score is not finite" in found[1].warnings
    assert report.groups[0].warnings == ["unequal lengths"]


def test_long_curves_keep_their_ends(tmp_path, texts):
    make_run(tmp_path / "long", texts["hinge"], rows=2000)
    losses, scores = collect([tmp_path])[0].curves
    assert len(losses["axes"]["step"]) == POINTS
    assert (losses["axes"]["step"][0], losses["axes"]["step"][-1]) == (0, 1000)
    assert losses["axes"]["images"][-1] == 320_000
    assert len(scores["values"]["score/fid_classifier"]) == 11


def test_hostile_folders_are_data(tmp_path, texts):
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefghij", "bcdefghijk", strict=True)
    )
    make_run(tmp_path / "bomb", bomb)
    make_run(tmp_path / "deep", "a: " + "[" * 5000)
    make_run(tmp_path / "code", "x: !!python/object/apply:os.system ['touch pwned']\n")
    odd = make_run(tmp_path / "odd", texts["hinge"], name="\x1b[31m=cmd|x", groups=[1], scores={"best": {"fid_x": "y"}})
    (odd / "metrics.jsonl").write_text('[1]\n{"step": "x", "loss/a": 1}\n"loss/" \n')
    (odd / "samples").mkdir()
    (odd / "samples" / "step-0000001.png").symlink_to("/etc/passwd")
    (tmp_path / "huge").mkdir()
    (tmp_path / "huge" / "config.yaml").write_text("{}")
    (tmp_path / "huge" / "run.json").write_text(
        '{"status": "finished", "scores": {"last": {"fid_x": 1' + "0" * 400 + "}}}"
    )
    done = ganexp("report", ".", cwd=tmp_path)
    found = {run.label: run for run in collect([tmp_path])}
    assert [found[name].status for name in ("bomb", "deep", "code")] == ["unreadable"] * 3
    assert found["odd"].status == "finished"
    assert found["huge"].scores["last"] == {}
    assert "\x1b" not in done.stdout
    assert not list(tmp_path.rglob("pwned"))
    assert "root:" not in (tmp_path / "report" / "index.html").read_text()
    assert not any(
        line.startswith(("=", "\x1b")) for line in (tmp_path / "report" / "table.csv").read_text().splitlines()
    )


def test_files_of_others_stay(runs):
    ganexp("report", "outputs", "images=false", cwd=runs.parent)
    ganexp("report", "outputs", "images=false", cwd=runs.parent)  # its own earlier page
    mine = runs.parent / "mine"
    mine.mkdir()
    (mine / "table.csv").write_text("precious")
    done = ganexp("report", "outputs", f"output={mine}", cwd=runs.parent, check=False)
    assert done.returncode == 1
    assert "table.csv that no report wrote" in done.stderr
    assert (mine / "table.csv").read_text() == "precious"
    assert [file.name for file in mine.iterdir()] == ["table.csv"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["empty"], "no runs here"),
        ([], "usage: ganexp report"),
        (["outputs", "image=false"], "image=false is neither a folder nor one of output=, images="),
        (["outputs", "images=no"], "give images=true or images=false"),
        (["--bundle", "empty"], "empty is no run folder"),
        (["--bundle", "outputs/hinge/seed-0", "checkpoint=true"], "best.ckpt is not there"),
    ],
)
def test_wrong_words_are_told(runs, words, said):
    (runs.parent / "empty").mkdir()
    done = ganexp("report", *words, cwd=runs.parent, check=False)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_help_and_no_folder_given(tmp_path):
    assert "images=false" in ganexp("report", "--help", cwd=tmp_path).stdout
    with pytest.raises(UserError, match="no such folder"):
        collect([tmp_path / "x"])


def test_a_thousand_runs(tmp_path, texts):
    """Within five seconds, 300 MB and a page of 10 MB."""
    for place in range(1000):
        loss, batch = ("hinge", "wgan_gp")[place % 2], 8 + place // 20
        text = texts[loss].replace("batch_size: 64", f"batch_size: {batch}")
        make_run(tmp_path / "runs" / f"{place:04d}", text, place % 10, 20 + place % 7, 200, groups={"loss": loss})
    code = (
        "import sys; from ganexp.cli import main; main(); "
        "assert not {'torch', 'pytorch_lightning', 'plotly', 'matplotlib'} & set(sys.modules); "
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = ["report", str(tmp_path / "runs"), "images=false", f"output={tmp_path / 'out'}"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = (
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    )  # of work: others may be busy beside it
    peak = int(done.stdout.split()[-1]) / 1024
    size = (tmp_path / "out" / "index.html").stat().st_size / 1e6
    print(f"{seconds:.1f} s, {peak:.0f} MB, page {size:.1f} MB")
    assert seconds < 5
    assert peak < 300
    assert size < 10
    with (tmp_path / "out" / "table.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 100
