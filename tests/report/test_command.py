"""The command `ganexp report`: arguments, files, messages, speed."""

import csv
import subprocess
import sys

import pytest
from helpers.cli import ganexp
from helpers.runs import make_run
from helpers.speed import cpu_seconds

from ganexp.commands.report import Arguments, parse, report
from ganexp.errors import UserError

DEFAULTS = {"output": None, "images": "true"}


def test_parse_separates_directories_from_options(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a=b").mkdir()
    parsed = parse(["outputs", "images=false", "a=b"], DEFAULTS)
    assert parsed == Arguments(["outputs", "a=b"], {"output": None, "images": "false"})
    assert parsed.flag("images") is False


def test_report_writes_page_and_tables(outputs, hinge, capsys, monkeypatch):
    make_run(outputs / "running", hinge, 4, 900, status="running")
    monkeypatch.chdir(outputs.parent)
    assert report(["outputs"], images=False).exists()
    printed = capsys.readouterr().out
    assert "fid_classifier last: loss=hinge against loss=wgan_gp: first is better" in printed
    assert "not included in any mean: 1 of 7 runs" in printed
    assert printed.splitlines()[-4:] == [
        "outputs/report/index.html",
        "outputs/report/table.md",
        "outputs/report/table.tex",
        "outputs/report/table.csv",
    ]
    for name in ("index.html", "table.md"):
        assert "first is better" in (outputs / "report" / name).read_text()


def test_report_replaces_an_earlier_report(outputs):
    first = report([str(outputs)], images=False)
    first.write_text("old")
    assert "first is better" in report([str(outputs)], images=False).read_text()


def test_report_leaves_files_of_others_alone(outputs, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "table.csv").write_text("precious")
    with pytest.raises(UserError, match=r"table\.csv that no report has written"):
        report([str(outputs)], output=str(other))
    assert (other / "table.csv").read_text() == "precious"
    assert [file.name for file in other.iterdir()] == ["table.csv"]
    with pytest.raises(UserError, match="is not a directory"):
        report([str(outputs)], output=str(other / "table.csv"))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere"], 1, "nowhere: no such directory"),
        (["empty"], 1, "no runs found"),
        ([], 2, "usage: ganexp report"),
        (["outputs", "image=false"], 2, "image=false is neither a directory nor one of output=, images="),
        (["outputs", "images=no"], 2, "use images=true or images=false"),
        (["--bundle", "empty"], 1, "empty is not a run directory"),
        (["--bundle", "outputs/hinge/seed-0", "checkpoint=true"], 1, "best.ckpt does not exist"),
    ],
)
def test_wrong_arguments_are_an_error_without_traceback(outputs, arguments, code, message):
    (outputs.parent / "empty").mkdir()
    result = ganexp("report", *arguments, cwd=outputs.parent, check=False)
    assert result.returncode == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_help_shows_the_options(tmp_path):
    assert "images=false" in ganexp("report", "--help", cwd=tmp_path).stdout


def test_import_leaves_the_slow_part_of_scipy_out():
    """SciPy's t tests, in `scipy.stats`, are slow to import, and only a report with comparisons imports this module."""
    code = "import sys, ganexp.commands.report; print({'scipy.special', 'scipy.stats'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "{'scipy.special'}\n"


@pytest.mark.slow
def test_thousand_runs_take_seconds_and_little_memory(tmp_path, hinge, wgan_gp):
    """A report on 1000 runs takes less than 300 MB of memory, and its page has less than 10 MB.

    Writing the report takes less than 8 times as long as reading the files, and does not import torch.
    """
    for index in range(1000):
        loss, text = (("hinge", hinge), ("wgan_gp", wgan_gp))[index % 2]
        text = text.replace("batch_size: 64", f"batch_size: {8 + index // 20}")
        make_run(tmp_path / "runs" / f"{index:04d}", text, index % 10, 20 + index % 7, 200, groups={"loss": loss})
    code = (
        "import sys; from ganexp.commands.report import main; main(sys.argv[2:]); "
        "assert not {'torch', 'pytorch_lightning', 'plotly.graph_objs', 'matplotlib', 'pandas'} & set(sys.modules); "
        "open(sys.argv[1], 'w').write(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    read = (
        "import json, sys; from pathlib import Path; "
        "[json.loads(line) for file in Path(sys.argv[1]).rglob('*.jsonl') for line in file.open()]"
    )
    runs, peak = str(tmp_path / "runs"), tmp_path / "peak"
    seconds = cpu_seconds(sys.executable, "-c", code, str(peak), runs, "images=false", f"output={tmp_path / 'out'}")
    reading = cpu_seconds(sys.executable, "-c", read, runs)
    megabytes = int(peak.read_text()) / 1024
    page = (tmp_path / "out" / "index.html").stat().st_size / 1e6
    print(
        f"The report took {seconds:.1f} s, {seconds / reading:.1f} times as long as reading the files, and "
        f"{megabytes:.0f} MB of memory. Its page has {page:.1f} MB."
    )
    assert seconds < 8 * reading
    assert megabytes < 300
    assert page < 10
    with (tmp_path / "out" / "table.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 100
