"""What the page of a report shows about each run."""

import shlex

import pytest
from helpers.runs import make_run

from ganexp.report.collect import collect
from ganexp.report.details import UnusualSetting, run_details
from ganexp.report.report import Report
from ganexp.report.templating import render


def details_by_label(directory):
    return {details.run.label: details for details in run_details(Report.from_runs(collect([directory])))}


def test_details_hold_only_unusual_settings(outputs, hinge):
    make_run(outputs / "small", hinge.replace("batch_size: 64", "batch_size: 8"), 5, groups={"loss": "hinge"})
    details = details_by_label(outputs)
    assert details["small"].unusual_settings == [UnusualSetting("schedule.batch_size", 8, 64)]
    assert details["hinge/seed-0"].unusual_settings == []
    table, usual = (render("runs.html", run_details=[details[label]]) for label in ("small", "hinge/seed-0"))
    assert (
        '<th scope="row">schedule.<wbr>batch_<wbr>size</th><td data-sort="8">8</td><td data-sort="64">64</td>' in table
    )
    assert "Settings that differ" in table
    assert "Settings that differ" not in usual


def test_details_of_an_unreadable_run_hold_its_warning(outputs):
    (outputs / "broken").mkdir()
    (outputs / "broken" / "config.yaml").write_text("a: [")
    (outputs / "broken" / "run.json").write_text("{}")
    details = details_by_label(outputs)["broken"]
    assert (details.status_class, details.remarks, details.unusual_settings) == ("failed", ["warnings: 1"], [])
    assert "<li>not readable: " in render("runs.html", run_details=[details])


def test_commands_can_be_copied_into_a_shell(tmp_path, hinge):
    typed = ["-m", "metrics/score=[fid],[fid,kid]", "name=a b"]
    own = ["metrics/score=[fid]", "name=a b"]
    (tmp_path / "swept").mkdir()
    (tmp_path / "swept" / "sweep.json").write_text("{}")
    make_run(tmp_path / "swept" / "job", hinge, command=typed, overrides=own)
    make_run(tmp_path / "default", hinge, 1, command=[], overrides=[])
    make_run(tmp_path / "other", hinge, 2, command="ganexp", overrides=None)
    make_run(tmp_path / "typed", hinge, 4, command=["+loss=hinge"], overrides=["loss=hinge"])
    for number, folder in enumerate((["--config-dir", "x"], ["--config-dir=x"])):
        make_run(tmp_path / "swept" / f"own-conf-{number}", hinge, 5 + number, command=[*folder, *typed], overrides=own)
    commands = {label: details.commands for label, details in details_by_label(tmp_path).items()}
    assert shlex.split(commands["swept/job"]["command"]) == ["ganexp", *typed]
    assert shlex.split(commands["swept/job"]["this run alone"]) == ["ganexp", *own]
    assert (commands["default"], commands["other"]) == ({"command": "ganexp"}, {})
    for label in ("typed", "swept/own-conf-0", "swept/own-conf-1"):
        assert set(commands[label]) == {"command"}


@pytest.mark.parametrize(
    "of_sweep",
    [["hparams_search=lr"], ["sweep=losses"], ["+sweep=seeds"], ["sweep.prune=true", "+sweep.prune=true"], ["~sweep"]],
)
def test_command_of_a_job_starts_no_sweep(tmp_path, hinge, of_sweep):
    """The directory of the job is several levels below that of the sweep."""
    (tmp_path / "sweep.json").write_text("{}")
    make_run(tmp_path / "1" / "run", hinge, overrides=[*of_sweep, "seed=1", "name=sweep"])
    command = details_by_label(tmp_path)["run"].commands["this run alone"]
    assert command == "ganexp seed=1 name=sweep"


@pytest.mark.parametrize("typed", [["schedule.steps=500"], ["schedule.epochs=2"], ["+schedule.epochs=2"], []])
def test_command_of_a_lengthened_job_has_its_length(tmp_path, hinge, typed):
    (tmp_path / "sweep.json").write_text("{}")
    make_run(tmp_path / "job", hinge, overrides=["loss=hinge", *typed], resumed=["2026-01-02T00:00:00+00:00"])
    command = details_by_label(tmp_path)["job"].commands["this run alone"]
    assert command == "ganexp loss=hinge schedule.steps=1000"


def test_command_of_a_job_keeps_the_typed_length(tmp_path, hinge):
    (tmp_path / "sweep.json").write_text("{}")
    text = hinge.replace("  epochs: null", "  epochs: 2", 1)
    make_run(tmp_path / "job", text, overrides=["schedule.epochs=2", "loss=hinge"], resumed=["2026-01-02"])
    command = details_by_label(tmp_path)["job"].commands["this run alone"]
    assert command == "ganexp schedule.epochs=2 loss=hinge"


def test_details_name_configuration_seed_and_command(outputs):
    details = details_by_label(outputs)["hinge/seed-1"]
    assert (details.status_class, details.remarks) == ("finished", ["loss=hinge", "seed 1"])
    assert details.environment["torch"] == "2.15.0"
    assert details.commands == {"command": "ganexp loss=hinge"}
    assert details.score_names == ["step", "is_classifier", "is_classifier_std", "fid_classifier"]
