"""Building: datasets are read once, and each part of a run gets the arguments that its constructor names."""

from pathlib import Path

import pytest
import torch
from helpers.bench import BASE
from helpers.config import TINY, config
from PIL import Image

from ganexp.build import build_callbacks, build_gan, build_image_set, build_loggers, build_stream
from ganexp.build_scores import best_score, build_scores, prepare_sets
from ganexp.errors import UserError
from ganexp.pixels import to_uint8
from ganexp.runs.run_directory import RunDirectory


def test_dataset_is_read_once(tmp_path, monkeypatch):
    train, test = (build_image_set(config(*BASE), split) for split in (None, "test"))
    assert build_image_set(config(*BASE)) is train
    assert build_image_set(config(*BASE), "test") is test is not train
    monkeypatch.chdir(tmp_path)  # here, a relative path would name another dataset
    assert build_image_set(config(*BASE)) is not train
    assert build_image_set(config(*BASE, "data.resolution=16")).images.shape[-1] == 16


def test_what_a_dataset_returns_is_checked():
    """The target `dict` stands for a user-defined function that does not return an ImageSet."""
    cfg = config(*BASE)
    cfg.data.source = {"_target_": "builtins.dict"}
    with pytest.raises(UserError, match=r"data\.source: the function must return an ImageSet"):
        build_image_set(cfg)


def test_training_on_a_split_that_a_dataset_lacks_is_refused(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    images = ["data=folder", f"data.path={tmp_path}", "data.resolution=8", "data.num_classes=0"]
    assert build_image_set(config(*images), "test") is None
    with pytest.raises(UserError, match=r"data\.split=test: this dataset has no such split"):
        build_image_set(config(*images, "data.split=test"))


def test_stream_refuses_a_batch_larger_than_the_dataset():
    cfg = config(*BASE, "schedule.batch_size=65")
    with pytest.raises(UserError, match=r"use schedule\.batch_size=64 or less"):
        build_stream(cfg, build_image_set(cfg), torch.device("cpu"))


def test_only_the_chosen_images_are_trained_on(tmp_path):
    cfg = config(*BASE, "data.training_images=16", "data.in_memory=false", "data.workers=0")
    whole = build_image_set(cfg)
    chosen = whole.random_part(16).batch(torch.arange(16)).flatten(1).unique(dim=0)
    stream = build_stream(cfg, whole, torch.device("cpu"))
    seen = torch.cat([to_uint8(next(stream).images) for _ in range(6)])
    assert torch.equal(seen.flatten(1).unique(dim=0), chosen)
    cfg = config(*BASE, "data.training_images=16", "callbacks=[discriminator_logits]")
    (callback,) = build_callbacks(cfg, RunDirectory(tmp_path), {"train": whole, "test": whole})
    assert {name: len(pixels) for name, pixels in callback.pixels.items()} == {"train": 16, "test": 64}
    assert torch.equal(callback.pixels["train"].flatten(1).unique(dim=0), chosen)


def test_more_training_images_than_there_are_is_refused():
    cfg = config(*BASE, "data.training_images=65")
    with pytest.raises(
        UserError, match=r"^data\.training_images=65 .* 64 images .*use data\.training_images=64 or less"
    ):
        build_stream(cfg, build_image_set(cfg), torch.device("cpu"))


def test_scores_compare_with_the_whole_split():
    cfg = config(*BASE, "data.training_images=16", "metrics=inception", "metrics/score=[]")
    whole = build_image_set(cfg)
    assert prepare_sets(cfg, whole, num_classes=0).references == {"train": whole}


def test_callbacks_come_in_the_order_of_the_config(tmp_path):
    cfg = config("callbacks=[curves,progress,sample_grids]", "metrics.grid_rows=3", "+callbacks.mine=null")
    callbacks = build_callbacks(cfg, RunDirectory(tmp_path), {})
    assert [type(callback).__name__ for callback in callbacks] == ["Curves", "ProgressLine", "SampleGrids"]
    assert callbacks[2].rows == 3
    assert callbacks[2].run_directory.path == tmp_path


def test_wrong_argument_of_a_callback_names_its_key(tmp_path):
    cfg = config("callbacks=[sample_grids]", "metrics.grid_rows=3", "callbacks.sample_grids.columns=0")
    with pytest.raises(UserError, match=r"callbacks\.sample_grids\.columns=0: must be a whole number from 1 to 100"):
        build_callbacks(cfg, RunDirectory(tmp_path), {})


def test_loggers_get_the_run_directory(tmp_path):
    (logger,) = build_loggers(config("logger=[csv]"), RunDirectory(tmp_path), 0)
    assert Path(logger.log_dir) == tmp_path
    assert build_loggers(config("logger=none"), RunDirectory(tmp_path), 0) == []


def test_best_score_takes_its_direction_from_the_score():
    for best_by, mode in (("fid", "min"), ("is", "max")):
        cfg = config("metrics.samples=40", "metrics.extractor.updates=3", f"metrics.best_by={best_by}")
        scores = build_scores(cfg, build_image_set(cfg), torch.device("cpu"), 0)
        assert best_score(cfg, scores) == (f"{best_by}_classifier", mode)
    assert best_score(config(*TINY), None)[0] is None


def test_log_points_are_at_least_one_in_a_period():
    assert build_gan(config("trainer.log_every=50", "schedule.evaluate_every=20")).log_every == 20
