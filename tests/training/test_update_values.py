"""Logged values of updates: means since the last logged point, gradient norms, and the discriminator's accuracy."""

import json

import pytest
import torch
from helpers.bench import Bench
from helpers.cli import ganexp
from helpers.config import TINY
from helpers.states import last_checkpoint, logged_points, same_state

from ganexp.losses import Hinge, LeastSquares, TwoClass, Wasserstein
from ganexp.losses.objective import Batch, Objective
from ganexp.training.update_values import UpdateValues

CPU = torch.device("cpu")
D_STEPS = ("schedule.evaluate_by=d_steps", "schedule.evaluate_every=8", "trainer.log_every=6")


def test_means_are_of_the_updates_since_the_last_point():
    values = UpdateValues()
    for loss in (1.0, 2.0, 6.0):
        values.add_loss("generator", torch.tensor(loss))
    assert values.take({}, CPU) == {"loss/generator_mean": 3.0}
    values.add_loss("generator", torch.tensor(5.0))
    resumed = UpdateValues()
    resumed.load_state_dict(json.loads(json.dumps(values.state_dict())))
    resumed.add_loss("generator", torch.tensor(8.0))
    assert resumed.take({}, CPU) == {"loss/generator_mean": 6.5}


@pytest.mark.parametrize(
    ("loss", "real", "fake", "expected"),
    [
        (Hinge(), [1.0, -1.0], [-1.0, -2.0, -3.0, 1.0], {"real": 0.5, "fake": 0.75}),
        (LeastSquares(), [0.6, 0.4], [0.4, 0.6], {"real": 0.5, "fake": 0.5}),
        (TwoClass(), [[0.0, 1.0], [0.0, 2.0]], [[1.0, 0.0], [0.0, 1.0]], {"real": 1.0, "fake": 0.5}),
        (Wasserstein(), [1.0], [-1.0], {}),
    ],
)
def test_accuracy_is_the_share_on_the_right_side(loss, real, fake, expected):
    batch = Batch(torch.zeros(1), None, d_real=torch.tensor(real), d_fake=torch.tensor(fake))
    assert {kind: value.item() for kind, value in Objective(loss).accuracies(batch).items()} == expected


def test_logged_point_has_accuracies_and_gradient_norms():
    bench = Bench("loss=hinge", "schedule.updates.order=generator_first", "schedule.clip_gradients.discriminator=1e-3")
    gan = bench.gan
    gan.log_every = 2
    gan.log_values = gan.logged.update
    bench.step()
    assert gan.logged == {}
    bench.step()
    gradients = torch.cat([p.grad.flatten() for p in gan.generator.parameters()])
    assert gan.logged["gradient_norm/generator"] == pytest.approx(gradients.norm().item(), rel=1e-5)
    assert gan.logged["gradient_norm/discriminator"] > 0.1  # the norm before clipping
    assert 0 <= gan.logged["discriminator/accuracy_real"] <= 1
    assert {"loss/discriminator_mean", "loss/generator_mean", "discriminator/accuracy_fake"} <= gan.logged.keys()


def logged_steps(log_every, n_critic, steps=12):
    """Return, for each step, the logged values and the values that callbacks see; every third step updates D."""
    bench = Bench("loss=hinge", "schedule.updates.n_gen=3", f"schedule.updates.n_critic={n_critic}")
    gan = bench.gan
    gan.log_every = log_every
    points, seen = {}, {}
    gan.log_values = lambda values: (points.update({gan.step: values}), gan.logged.update(values))
    for _ in range(steps):
        bench.step()
        seen[gan.step] = dict(gan.logged)
    return points, seen


@pytest.mark.parametrize("n_critic", [1, 2, 4])
def test_values_of_rare_updates_are_logged_once(n_critic):
    every, seen = logged_steps(1, n_critic)
    of_d = {name for name in every[3] if "discriminator" in name and not name.endswith("_mean")}
    assert {"loss/discriminator", "discriminator/accuracy_fake", "gradient_norm/discriminator"} <= of_d
    for step in range(1, 13):
        assert (of_d & every[step].keys() == of_d) == (step % 3 == 0)
        assert of_d & seen[step].keys() == of_d & every[step].keys()
    for log_every, last_updates in ((4, {4: 3, 8: 6, 12: 12}), (2, {2: None, 4: 3, 6: 6, 8: None, 10: 9, 12: 12})):
        points, _ = logged_steps(log_every, n_critic)
        expected = {step: {name: every[last][name] for name in of_d if last} for step, last in last_updates.items()}
        assert {step: {name: point[name] for name in of_d & point.keys()} for step, point in points.items()} == expected


def test_d_steps_decide_evaluations_and_loss_points(tmp_path):
    words = ("loss=hinge", "schedule/updates=loss_limit", "schedule.updates.limit=1e-6", "schedule.max_d_steps=24")
    length = ("schedule.steps=100", "callbacks=[interpolations,progress]", "metrics.interpolate=true")
    ganexp(*TINY, *words, *length, *D_STEPS, "hydra.run.dir=run", cwd=tmp_path)
    points = [point for point in logged_points(tmp_path / "run") if "loss/generator" in point]
    assert [point["axis/d_steps"] for point in points] == [10, 15, 20, 24]  # five updates of D in each step
    assert [point["axis/epochs"] for point in points] == pytest.approx([n / 179 for n in (10, 15, 20, 24)])
    pictures = sorted(file.name for file in (tmp_path / "run" / "samples" / "interpolations").iterdir())
    assert pictures == [f"step-{step:07d}.png" for step in (0, 2, 4, 5)]  # after 0, 10, 20 and 24 updates of D


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings", [(*D_STEPS, "schedule.updates.n_critic=2"), ("trainer.log_every=7", "schedule.updates.n_gen=5")]
)
def test_run_resumes_between_two_points_with_the_same_bits(tmp_path, settings):
    words = (*TINY, "loss=hinge", *settings)
    ganexp(*words, "schedule.steps=12", "hydra.run.dir=whole", cwd=tmp_path)
    ganexp(*words, "schedule.steps=5", "hydra.run.dir=run", cwd=tmp_path)
    ganexp("resume", "run", "schedule.steps=12", cwd=tmp_path)
    ours, whole = (last_checkpoint(tmp_path / name) for name in ("run", "whole"))
    for part in ("state_dict", "optimizer_states", "StreamData"):
        assert same_state(ours[part], whole[part]), part
    assert logged_points(tmp_path / "run") == logged_points(tmp_path / "whole")
