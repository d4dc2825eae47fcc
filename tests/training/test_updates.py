"""Update rules and learning-rate decay."""

import pytest
import torch

from ganexp.training.updates import FixedRatio, LinearDecay, LossLimit


def test_fixed_ratio_counts():
    rule = FixedRatio(n_critic=3)
    assert [rule.enough(n, torch.tensor(0.0)) for n in (1, 2, 3)] == [False, False, True]


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_critic": 0},
        {"order": "critic_first"},
        {"fakes": "stale"},
        {"labels": {"discriminator": "real", "generator": "same"}},
        {"order": "simultaneous", "n_critic": 2},
    ],
)
def test_wrong_rules_are_refused(wrong):
    with pytest.raises(ValueError, match="="):
        FixedRatio(**wrong)


def test_linear_decay():
    decay = LinearDecay(start=0.5, end=0.1)
    assert [decay(p) for p in (0.0, 0.5, 1.0)] == pytest.approx([1.0, 1.0, 0.1])
    assert decay(0.75) == pytest.approx(0.55)
    assert LinearDecay()(0.25) == pytest.approx(0.75)


def played(rule, losses):
    """Discriminator updates of each step, for one loss a discriminator update."""
    steps, updates = [], 0
    for loss in losses:
        updates += 1
        if rule.enough(updates, torch.tensor(loss)):
            steps.append(updates)
            updates = 0
    return steps


def as_coded(losses, limit, window=5, burst=4):
    """Generator updates of one epoch by the counter of the article's code: published behaviour, batch by batch."""
    held = generator_updates = 0
    for index in range(len(losses)):
        if held == 0:
            generator_updates += 1
        else:
            held -= 1
        seen = losses[max(0, index + 1 - window) : index + 1]
        if sum(seen) / len(seen) >= limit and held == 0:
            held = burst
    return generator_updates


@pytest.mark.parametrize(
    ("repeat_burst", "loss", "generator_updates"),
    [(False, 1.0, 39), (True, 1.0, 1), (False, 0.1, 195), (True, 0.1, 195)],
)
def test_loss_limit_counts_of_an_epoch(repeat_burst, loss, generator_updates):
    assert len(played(LossLimit(limit=0.5, repeat_burst=repeat_burst, epoch=195), [loss] * 195)) == generator_updates


def test_loss_limit_as_published_is_the_articles_counter():
    generator = torch.Generator().manual_seed(0)
    for _ in range(30):
        losses = torch.rand(195, generator=generator).tolist()
        assert len(played(LossLimit(limit=0.5, repeat_burst=True, epoch=195), losses)) == as_coded(losses, 0.5)


def test_loss_limit_window_and_bursts():
    rule = LossLimit(limit=0.5, window=2, burst=2)
    # mean 0.4; 0.8 -> a burst; after it the mean of (0, 0.1); then (0.1, 1.0) -> a burst
    assert played(rule, [0.4, 1.2, 0.0, 0.0, 0.1, 1.0, 0.0, 0.0]) == [1, 3, 1, 3]


def test_loss_limit_without_a_limit_reads_no_loss():
    assert LossLimit().enough(1, None)
    assert LossLimit().updates_a_step == FixedRatio().updates_a_step == 1
    assert LossLimit(limit=0.5).updates_a_step is None


def test_loss_limit_goes_on_from_its_state():
    losses = torch.rand(60, generator=torch.Generator().manual_seed(1)).tolist()
    whole = LossLimit(limit=0.5, epoch=13)
    first = LossLimit(limit=0.5, epoch=13)
    expected = played(whole, losses)
    steps = played(first, losses[: sum(expected[:9])])
    second = LossLimit(limit=0.5, epoch=13)
    state = first.state_dict()
    assert all(isinstance(loss, float) for loss in state["losses"])  # of no device
    second.load_state_dict(state)
    assert steps + played(second, losses[sum(expected[:9]) :]) == expected
    assert FixedRatio().state_dict() == {}


@pytest.mark.parametrize(
    "wrong",
    [{"n_critic": 2}, {"window": 0}, {"burst": 0}, {"epoch": 0}, {"repeat_burst": True}],
)
def test_wrong_limits_are_refused(wrong):
    with pytest.raises(ValueError, match="="):
        LossLimit(limit=0.5, **wrong)


def test_a_loss_that_is_not_finite_holds_nothing_up():
    assert LossLimit(limit=0.5, repeat_burst=True, epoch=195).enough(1, torch.tensor(float("nan")))
