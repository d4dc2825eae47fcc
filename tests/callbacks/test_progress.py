"""The progress line: speed, losses, scores and the time left."""

import time
from types import SimpleNamespace

import pytest
import torch
from helpers.config import TINY, config

from ganexp.build import build_gan
from ganexp.callbacks.progress import ProgressLine


class NamedScores:
    """Scores of which only the names matter."""

    extractor = SimpleNamespace(name="x")

    def __init__(self, *names):
        self.names = names or ("is_x", "fid_x", "kid_x")

    def info(self):
        return {"is_x_std": {"spread_of": "is_x"}} | {name: {} for name in self.names}


def test_line_shows_losses_and_first_scores():
    gan = build_gan(config(*TINY))
    gan.scores = NamedScores()
    gan.losses_logged_at = 0
    losses = {"loss/discriminator": -0.5, "loss/generator": 1.25}
    gan.logged = losses | {"score/is_x": 3.0, "score/is_x_std": 0.1, "score/fid_x": 12.5, "score/kid_x": 1.0}
    progress = ProgressLine()
    progress.started_at, progress.first_share, progress.first_step, progress.scored_at = -1e9, 0, 0, 40
    assert progress.line(gan) == "D -0.5 · G 1.25 · IS 3 FID 12.5 at 40"
    gan.step = gan.losses_logged_at = 2
    gan.clock.total, progress.first_seconds = 10.0, 6.0
    assert progress.line(gan).startswith("0.5 step/s · D -0.5 · G 1.25 · IS 3")
    assert progress.line(gan).endswith("left")


def test_shown_scores_have_their_whole_names():
    gan = build_gan(config(*TINY))
    gan.scores = NamedScores("intra_fid_x", "class_diversity_x")
    gan.logged = {"score/intra_fid_x": 3.0, "score/class_diversity_x": 0.5}
    assert ProgressLine()._scores(gan) == "INTRA_FID 3 CLASS_DIVERSITY 0.5 at 0"
    gan.scores = NamedScores("fid_x_5000", "fid_x_test")
    gan.logged = {"score/fid_x_5000": 3.0, "score/fid_x_test": 4.0}
    assert ProgressLine()._scores(gan) == "FID_X_5000 3 FID_X_TEST 4 at 0"


def test_losses_of_an_earlier_step_are_not_repeated():
    gan = build_gan(config(*TINY))
    gan.logged, gan.losses_logged_at, gan.step = {"loss/discriminator": 9.0, "loss/generator": 9.0}, 2, 4
    for loss in (1.0, 2.0):
        gan._values.add_loss("discriminator", torch.tensor(loss))
    progress = ProgressLine()
    progress.started_at, progress.first_share, progress.first_seconds = -1e9, 1, 0
    assert progress.line(gan) == "D 1.5"


def test_bar_shows_losses_from_the_first_step():
    gan = build_gan(config(*TINY))
    gan.log_every, gan.steps = 50, 100
    progress = ProgressLine()
    progress.live = True
    progress.on_train_start(None, gan)
    for gan.step in (1, 2):
        gan._values.add_loss("generator", torch.tensor(float(gan.step)))
        progress.on_train_batch_end(None, gan)
    assert "G 1" in progress.bar.tasks[0].fields["line"]
    progress.bar.stop()


def test_slow_steps_are_shown_before_they_are_logged(monkeypatch, capsys):
    gan = build_gan(config(*TINY))
    gan.log_every, gan.steps, gan.step = 50, 100, 0
    now = iter([0.0, 0.0, 10.0, 10.0, 35.0, 35.0, 35.0, 36.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    progress = ProgressLine()
    progress.on_train_start(None, gan)
    for gan.step in (1, 2):  # the steps end after 10 and after 35 seconds
        progress.on_train_batch_end(None, gan)
    # 98 steps of 25 seconds are left: the first step, which took 10 seconds, does not count.
    assert capsys.readouterr().out == "step 2/100  40:50 left\n"


@pytest.mark.parametrize(("steps", "warnings"), [(4_000, 0), (5_000, 1)])
def test_run_of_more_than_a_day_is_announced_once(monkeypatch, capsys, steps, warnings):
    gan = build_gan(config(*TINY))
    gan.log_every, gan.steps, gan.step = 50, steps, 0
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    progress = ProgressLine()
    progress.on_train_start(None, gan)
    for gan.step in range(1, 6):
        now[0] += 20
        progress.on_train_batch_end(None, gan)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning")]
    assert len(lines) == warnings
    assert all("the rest of the run takes about 1.2 days" in line and "on a GPU" in line for line in lines)


def test_long_evaluation_shows_its_progress(monkeypatch, capsys):
    gan, progress, now = build_gan(config(*TINY)), ProgressLine(), [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    trainer = SimpleNamespace(num_val_batches=[4])
    progress.on_validation_start(trainer, gan)
    for index, now[0] in enumerate((20.0, 40.0, 60.0, 80.0)):
        progress.on_validation_batch_end(trainer, gan, None, None, index)
    assert capsys.readouterr().out.splitlines() == ["step 0/4  evaluation: 50%", "step 0/4  evaluation: 100%"]


def test_disabled_line_prints_nothing(capsys):
    gan = build_gan(config(*TINY))
    progress = ProgressLine()
    progress.on_train_start(None, gan)
    progress.disable()
    progress.on_train_epoch_end(None, gan)
    assert capsys.readouterr().out == ""
    progress.enable()
    progress.on_train_epoch_end(None, gan)
    assert capsys.readouterr().out.startswith("step 0/4")


def test_only_the_first_process_prints(capsys):
    gan = build_gan(config(*TINY))
    progress = ProgressLine()
    progress.setup(SimpleNamespace(is_global_zero=False), gan, "fit")  # as Lightning calls this method
    progress.on_train_start(None, gan)
    progress.on_train_epoch_end(None, gan)
    assert capsys.readouterr().out == ""


def test_time_left_of_a_run_that_ends_by_discriminator_updates(monkeypatch):
    gan = build_gan(config(*TINY, "schedule.steps=400", "schedule.max_d_steps=100"))
    progress = ProgressLine()
    progress.started_at, progress.first_share, progress.first_step = 0, 0, 0
    gan.clock.total, progress.first_seconds = 50.0, 0.0  # an evaluation took the other 10 of the 60 seconds
    monkeypatch.setattr(time, "monotonic", lambda: 60.0)
    gan.step, gan.d_steps = 10, 50
    assert progress.line(gan) == "0.2 step/s · D update 50/100 · 1:00 left"
