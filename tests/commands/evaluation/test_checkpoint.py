"""How an evaluation merges the config of the run with the settings of the command, and how it names its files."""

from pathlib import Path

import pytest
from helpers.config import config, raw_config
from omegaconf import OmegaConf

from ganexp.commands.evaluation.checkpoint import file_ending, merged_config
from ganexp.config import schema

OF_RUN = ("metrics.fid_at=[30,40]", "metrics.samples=100", "metrics.labels=uniform", "metrics.references=[train]")


def merged(*overrides):
    raw = raw_config("ckpt=run", *overrides, config="evaluate")
    settings = schema.resolve(raw, without=["metrics"])
    return merged_config(config(*OF_RUN), settings, OmegaConf.to_container(raw.metrics)).metrics


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ((), {"fid_at": [30, 40], "samples": 100, "labels": "uniform"}),
        (("fid_at=[20]",), {"fid_at": [20], "samples": 100, "labels": "uniform"}),
        (("fid_at=[]",), {"fid_at": [], "samples": 100, "labels": "uniform"}),
        (("samples=50", "labels=reference"), {"fid_at": [30, 40], "samples": 50, "labels": "reference"}),
        (("references=[test]",), {"fid_at": [30, 40], "references": ["test"]}),
        # metrics=... of the command replaces all metrics of the run
        (("metrics=inception", "fid_at=[20]"), {"fid_at": [20], "samples": 10_000, "labels": "reference"}),
        (("metrics=inception",), {"fid_at": []}),
    ],
)
def test_settings_of_the_command_replace_those_of_the_run_only_if_given(overrides, expected):
    metrics = merged(*overrides)
    assert {name: OmegaConf.to_object(metrics)[name] for name in expected} == expected
    assert metrics.scores.fid.sample_counts == expected["fid_at"]


def test_files_of_different_checkpoints_and_extractors_have_different_names():
    checkpoints = [Path(f"run/checkpoints/{name}.ckpt") for name in ("best", "last", "step-0000100", "epoch-3")]
    endings = [file_ending(extractor, path) for extractor in (None, "inception", "vit") for path in checkpoints]
    assert len(set(endings)) == len(endings)
    assert endings[:2] == ["", "-last"]
    assert endings[4:6] == ["-inception", "-inception-last"]
