"""Early stopping finds its score and whether lower or higher values are better, and says why it has ended a run."""

from types import SimpleNamespace

import pytest
import torch
from helpers.config import config

from ganexp.callbacks.early_stopping import EarlyStopping, find_score
from ganexp.config.callback_checks import check_callbacks
from ganexp.errors import UserError

INFO = {
    "fid_x": {"higher_is_better": False},
    "kid_x_test": {"higher_is_better": False},
    "is_x": {"higher_is_better": True},
    "distance_x": {"higher_is_better": None},
}
SCORES = SimpleNamespace(info=lambda: INFO, extractor=SimpleNamespace(name="x"))
NOT_BUILT = SimpleNamespace(num_classes=0, scores=None)  # a GAN whose scores are not built yet


@pytest.mark.parametrize(
    ("monitor", "mode", "expected"),
    [
        ("fid", None, ("fid_x", "min")),
        ("fid_x", "min", ("fid_x", "min")),
        ("kid_x_test", None, ("kid_x_test", "min")),
        ("is", None, ("is_x", "max")),
        ("distance", "max", ("distance_x", "max")),
    ],
)
def test_score_has_its_full_name_and_direction(monitor, mode, expected):
    assert find_score(monitor, mode, INFO, "x") == expected


@pytest.mark.parametrize(
    ("monitor", "mode", "message"),
    [
        ("fid_classifier", None, "monitor=fid_classifier: there is no such score. .* one of fid_x, kid_x_test, is_x"),
        ("is", "min", "mode=min: higher values of is_x are better. Set it to max"),
        ("fid", "max", "mode=max: lower values of fid_x are better. Set it to min"),
        ("distance", None, "mode=null: it is unknown which values of distance_x are better"),
    ],
)
def test_wrong_score_or_direction_is_refused(monitor, mode, message):
    with pytest.raises(ValueError, match=message):
        EarlyStopping(SCORES, monitor, mode)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["metrics=none"], "monitor=fid: metrics=none has no scores"),
        (["metrics=inception", "callbacks.early_stopping.monitor=fid_classifier"], "can be one of is_inception, fid_"),
        (["metrics=classifier", "callbacks.early_stopping.monitor=foo"], "can be one of is_classifier"),
        (["metrics=imagenet", "callbacks.early_stopping={monitor: is, mode: min}"], "higher values of is_imagenet"),
    ],
)
def test_wrong_setting_is_refused_before_scores_are_built(overrides, message):
    with pytest.raises(UserError, match=f"^callbacks.early_stopping: .*{message}"):
        check_callbacks(config("callbacks=[progress,early_stopping]", *overrides), NOT_BUILT)


@pytest.mark.parametrize("metrics", ["inception", "imagenet", "classifier", "inception_torchvision"])
def test_default_monitors_the_main_score_of_every_extractor(metrics):
    cfg = config("callbacks=[progress,early_stopping]", f"metrics={metrics}")
    check_callbacks(cfg, NOT_BUILT)
    check_callbacks(cfg, SimpleNamespace(num_classes=0, scores=SCORES))
    assert cfg.callbacks.early_stopping.monitor == cfg.metrics.best_by


def stops_after(scores, monitor="fid", **settings):
    """Return the reasons for which a run with these scores is stopped."""
    callback, stops = EarlyStopping(SCORES, monitor, **settings), []
    trainer = SimpleNamespace(
        state=SimpleNamespace(fn="fit"), sanity_checking=False, fast_dev_run=False, should_stop=False, current_epoch=0
    )
    trainer.strategy = SimpleNamespace(reduce_boolean_decision=lambda decision, all: decision)
    trainer.val_check_interval, trainer.check_val_every_n_epoch = 1.0, 1
    callback.setup(trainer, None, "fit")
    gan = SimpleNamespace(is_done=False, stop=stops.append)
    for score in scores:
        trainer.callback_metrics = {f"{monitor}_x": torch.tensor(score)}
        callback.on_train_epoch_end(trainer, gan)
    return stops


@pytest.mark.parametrize(
    ("scores", "settings", "reasons"),
    [
        ([3.0, 2.0, 1.0], {"patience": 1}, []),
        ([1.0, 2.0, 3.0], {"patience": 1, "monitor": "is"}, []),
        ([2.0, 3.0, 2.5], {"patience": 2}, ["because fid_x, now 2.5, was not better than 2, its best value, at 2 ev"]),
        ([2.0, float("nan")], {}, ["because fid_x is nan, which is not a finite number"]),
        ([2.0, 0.5], {"stopping_threshold": 1.0}, ["because fid_x, now 0.5, is better than stopping_threshold=1.0"]),
        ([2.0, 9.0], {"divergence_threshold": 5.0}, ["because fid_x, now 9, is worse than divergence_threshold=5.0"]),
    ],
)
def test_stop_has_a_reason(scores, settings, reasons):
    given = stops_after(scores, **settings)
    assert len(given) == len(reasons)
    assert all(text.startswith(start) for text, start in zip(given, reasons, strict=True))
