"""LeCam regularisation, compared with its formula update by update."""

import pytest
import torch
from helpers.bench import Bench

from ganexp.losses.lecam import LeCam
from ganexp.losses.penalties import Seen

PREFIX = "objective.stateful_parts.penalty_lecam"
FAST = ("loss.penalties.lecam.start=1", "optimizer.discriminator.lr=0.01", "optimizer.generator.lr=0")


def test_penalty_follows_the_formula_from_its_start_on():
    torch.manual_seed(0)
    lecam, decay = LeCam(weight=0.25, decay=0.75, start=3).double(), 0.75
    real_mean = fake_mean = 0.0
    for update in range(8):
        real = torch.randn(5, dtype=torch.double, requires_grad=True)
        fake = torch.randn(5, dtype=torch.double, requires_grad=True)
        images = torch.zeros(5, 1, 1, 1)
        value = lecam.of_outputs(None, Seen(images, None, real + 0.5), Seen(images, None, fake - 0.5))
        d_real, d_fake = (real + 0.5).tolist(), (fake - 0.5).tolist()
        distance = sum(max(0, d - fake_mean) ** 2 for d in d_real) / 5
        distance += sum(max(0, real_mean - d) ** 2 for d in d_fake) / 5
        has_started = update >= 3
        assert value.item() == pytest.approx(0.25 * distance * has_started, rel=1e-9)
        value.backward()
        slopes = [0.25 * has_started * 2 * max(0, d - fake_mean) / 5 for d in d_real]
        assert real.grad.tolist() == pytest.approx(slopes, rel=1e-9)
        slopes = [-0.25 * has_started * 2 * max(0, real_mean - d) / 5 for d in d_fake]
        assert fake.grad.tolist() == pytest.approx(slopes, rel=1e-9)
        kept = decay if has_started else 0.0
        real_mean = kept * real_mean + (1 - kept) * sum(d_real) / 5
        fake_mean = kept * fake_mean + (1 - kept) * sum(d_fake) / 5
    assert lecam.real.item() == pytest.approx(real_mean, rel=1e-9)
    assert lecam.fake.item() == pytest.approx(fake_mean, rel=1e-9)


def test_averages_are_in_checkpoints_and_limit_the_outputs():
    gaps = {}
    for weight in (0.0, 1.0):
        bench = Bench("loss=hinge", "loss/penalty=lecam", f"loss.penalties.lecam.weight={weight}", *FAST)
        bench.step(30)
        state = bench.gan.state_dict()
        gaps[weight] = (state[f"{PREFIX}.real"] - state[f"{PREFIX}.fake"]).item()
        assert state[f"{PREFIX}.updates"] == 30 * bench.cfg.loss.n_critic
    assert 0 < gaps[1.0] < 0.5 * gaps[0.0]
