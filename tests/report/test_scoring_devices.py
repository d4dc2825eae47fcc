"""The sentence about scores from different kinds of devices."""

import pytest
from helpers.runs import make_run

from ganexp.report.collect import collect
from ganexp.report.scoring_devices import scoring_devices


@pytest.mark.parametrize(
    ("devices", "named"),
    [
        (("CPU, 1 thread", "NVIDIA H100"), "(CPU; NVIDIA H100)"),
        (("CPU, 1 thread", "CPU, 8 threads"), None),
        (("NVIDIA H100", None), None),
    ],
)
def test_report_names_devices_of_different_kinds(tmp_path, hinge, devices, named):
    for seed, device in enumerate(devices):
        make_run(tmp_path / str(seed), hinge, seed, device=device)
    sentences = scoring_devices(collect([tmp_path]))
    assert len(sentences) == (named is not None)
    assert all(named in sentence for sentence in sentences)


def test_device_of_evaluate_counts(tmp_path, hinge):
    run = make_run(tmp_path / "run", hinge, device="NVIDIA H100")
    (run / "scores.json").write_text('{"scores": {"fid_inception": 3.0}, "step": 1, "device": "CPU, 2 threads"}')
    (sentence,) = scoring_devices(collect([tmp_path]))
    assert "(CPU; NVIDIA H100)" in sentence
