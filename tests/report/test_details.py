"""What the page shows of each run."""

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
    assert '<th scope="row">schedule.batch_size</th><td data-sort="8">8</td><td data-sort="64">64</td>' in table
    assert "Settings that differ" in table
    assert "Settings that differ" not in usual


def test_details_of_an_unreadable_run_hold_its_warning(outputs):
    (outputs / "broken").mkdir()
    (outputs / "broken" / "config.yaml").write_text("a: [")
    (outputs / "broken" / "run.json").write_text("{}")
    details = details_by_label(outputs)["broken"]
    assert (details.status_class, details.remarks, details.unusual_settings) == ("failed", ["warnings: 1"], [])
    assert "<li>not readable: " in render("runs.html", run_details=[details])


def test_details_name_group_seed_and_command(outputs):
    details = details_by_label(outputs)["hinge/seed-1"]
    assert (details.status_class, details.remarks) == ("finished", ["loss=hinge", "seed 1"])
    assert details.environment["torch"] == "2.15.0"
    assert details.environment["command"] == "ganexp loss=hinge"
    assert details.score_names == ["step", "is_classifier", "is_classifier_std", "fid_classifier"]
