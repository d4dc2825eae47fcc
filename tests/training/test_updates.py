"""Update rules: the sequence of phases, resuming, and the loss limit compared with the code of the SAGAN article."""

import re
import sys
from types import ModuleType

import pytest
import torch

from ganexp.cli import CONF
from ganexp.training.updates import Backward, FixedRatio, LossLimit, Step


def sequence(rule, losses=None, others=()):
    """Return a step's phases as text, such as nD stepD sG stepG.

    nD is a gradient of D on a new real batch, sD a gradient of D on the same real batch as the previous gradient,
    and stepD a step of D's optimizer.
    """
    losses = iter(losses or [])
    phases, result, text = rule.phases(others), None, []
    while True:
        try:
            phase = phases.send(result)
        except StopIteration:
            return " ".join(text)
        result = None
        if isinstance(phase, Backward):
            text.append(f"{phase.real[0]}{phase.network[0].upper()}")
            if phase.network == "discriminator":
                result = torch.tensor(next(losses, 0.0))
        else:
            text.append(f"step{phase.network[0].upper()}")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"n_critic": 2}, "nD stepD nD stepD sG stepG"),
        ({"n_critic": 2, "reuse_real": True}, "nD stepD sD stepD sG stepG"),
        ({"n_critic": 2, "order": "generator_first"}, "nG stepG sD stepD nD stepD"),
        ({"order": "simultaneous"}, "nG sD stepD stepG"),
    ],
)
def test_fixed_ratio_phases(settings, expected):
    assert sequence(FixedRatio(**settings)) == expected


@pytest.mark.parametrize("order", ["discriminator_first", "generator_first", "simultaneous"])
def test_further_networks_step_first_on_the_first_batch(order):
    text = sequence(FixedRatio(order=order), others=("classifier", "x"))
    assert text.startswith("nC stepC sX stepX s")
    assert text.count("n") == 1
    assert text.count("stepG") == text.count("stepD") == 1


def test_fakes_of_phases_follow_the_setting():
    for fakes in ("fresh", "shared"):
        phases = [phase for phase in FixedRatio(fakes=fakes).phases() if isinstance(phase, Backward)]
        assert {phase.fakes for phase in phases} == {fakes}
    assert Step("generator") == Step("generator") != Step("discriminator")


@pytest.mark.parametrize(
    ("rule", "wrong"),
    [
        (FixedRatio, {"labels": {"discriminator": "real"}}),
        (FixedRatio, {"order": "simultaneous", "n_critic": 2}),
        (FixedRatio, {"order": "simultaneous", "n_gen": 2}),
        (LossLimit, {"n_critic": 2}),
        (LossLimit, {"n_gen": 2}),
        (LossLimit, {"repeat_burst": True}),
    ],
)
def test_wrong_combinations_are_refused(rule, wrong):
    with pytest.raises(ValueError, match="="):
        rule(**wrong)


@pytest.mark.parametrize(
    ("settings", "expected", "updates", "batches"),
    [
        ({"n_gen": 2}, "nG stepG | nD stepD sG stepG", 0.5, 1),
        ({"n_gen": 2, "order": "generator_first"}, "nG stepG | nG stepG sD stepD", 0.5, 1),
        ({"n_gen": 2, "n_critic": 3}, "nG stepG | nD stepD nD stepD nD stepD sG stepG", 1.5, 2),
        ({"n_gen": 2, "n_critic": 2, "reuse_real": True}, "nG stepG | nD stepD sD stepD sG stepG", 1, 1),
        ({"n_critic": 3}, "nD stepD nD stepD nD stepD sG stepG", 3, 3),
    ],
)
def test_discriminator_steps_in_every_n_gen_th_step(settings, expected, updates, batches):
    rule = FixedRatio(**settings)
    for _ in range(2):  # every cycle is the same
        assert " | ".join(sequence(rule) for _ in range(rule.n_gen)) == expected
    assert rule.updates_per_step == updates == expected.count("stepD") / rule.n_gen
    assert rule.batches_per_step == batches == expected.count("n") / rule.n_gen
    assert sequence(FixedRatio(n_gen=2), others=("classifier",)) == "nC stepC sG stepG"


def test_fixed_ratio_resumes_within_its_cycle():
    first, second = FixedRatio(n_gen=3), FixedRatio(n_gen=3)
    assert ["D" in sequence(first) for _ in range(4)] == [False, False, True, False]
    second.load_state_dict(first.state_dict())
    assert ["D" in sequence(second) for _ in range(4)] == [False, True, False, False]
    second.load_state_dict({})  # a checkpoint of a rule without n_gen
    assert ["D" in sequence(second) for _ in range(3)] == [False, False, True]


def play(rule, losses):
    """Return the number of discriminator updates in each complete step, given the loss of every update."""
    steps, remaining = [], list(losses)
    while remaining:
        phases, result, updates = rule.phases(), None, 0
        try:
            while True:
                phase = phases.send(result)
                result = None
                if isinstance(phase, Backward) and phase.network == "discriminator":
                    if not remaining:
                        return steps
                    result = torch.tensor(remaining.pop(0))
                    updates += 1
        except StopIteration:
            steps.append(updates)
    return steps


def as_coded(losses, limit, window=5, burst=4):
    """Return the number of generator updates in one epoch, counted batch by batch as in the SAGAN article's code."""
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
    assert len(play(LossLimit(limit=0.5, repeat_burst=repeat_burst, epoch=195), [loss] * 195)) == generator_updates


def test_epoch_of_the_dataset_has_its_number_of_batches():
    ours, fixed = (
        LossLimit(limit=0.5, repeat_burst=True, epoch="dataset"),
        LossLimit(limit=0.5, repeat_burst=True, epoch=113),
    )
    ours.set_batches_per_epoch(113)
    fixed.set_batches_per_epoch(7)  # has no effect if `epoch` is a number
    assert play(ours, [1.0] * 226) == play(fixed, [1.0] * 226)


def test_loss_limit_as_published_is_the_articles_counter():
    generator = torch.Generator().manual_seed(0)
    for _ in range(30):
        losses = torch.rand(195, generator=generator).tolist()
        assert len(play(LossLimit(limit=0.5, repeat_burst=True, epoch=195), losses)) == as_coded(losses, 0.5)


def test_loss_limit_window_and_bursts():
    rule = LossLimit(limit=0.5, window=2, burst=2)
    # The mean of (0.4, 1.2) in step 2 and the mean of (0.1, 1.0) in step 4 are above the limit: each starts a burst.
    assert play(rule, [0.4, 1.2, 0.0, 0.0, 0.1, 1.0, 0.0, 0.0]) == [1, 3, 1, 3]


def test_loss_limit_without_a_limit_reads_no_loss():
    assert LossLimit().discriminator_is_done(1, None)
    assert LossLimit().updates_per_step == FixedRatio().updates_per_step == 1
    assert LossLimit(limit=0.5).updates_per_step is LossLimit(limit=0.5).batches_per_step is None


@pytest.mark.parametrize("loss", [0.1, 0.9])
def test_loss_limit_takes_one_batch_in_a_step_if_it_reuses_the_batch(loss):
    rule = LossLimit(limit=0.5, reuse_real=True)
    phases = sequence(rule, [loss] * 5)
    assert phases.count("stepD") == (1 if loss < 0.5 else 5)
    assert phases.count("n") == rule.batches_per_step == 1


def test_loss_limit_resumes_from_its_state():
    losses = torch.rand(60, generator=torch.Generator().manual_seed(1)).tolist()
    expected = play(LossLimit(limit=0.5, epoch=13), losses)
    first = LossLimit(limit=0.5, epoch=13)
    steps = play(first, losses[: sum(expected[:9])])
    second = LossLimit(limit=0.5, epoch=13)
    state = first.state_dict()
    assert all(isinstance(loss, float) for loss in state["losses"])  # numbers, not tensors on a device
    second.load_state_dict(state)
    assert steps + play(second, losses[sum(expected[:9]) :]) == expected
    assert FixedRatio().state_dict() == {}


def test_loss_limit_ignores_nan_loss():
    rule = LossLimit(limit=0.5, repeat_burst=True, epoch=195)
    assert rule.discriminator_is_done(1, torch.tensor(float("nan")))


def test_rule_of_the_guide_resumes_in_the_middle_of_a_cycle(monkeypatch):
    guide = (CONF.parent / "docs" / "extending.md").read_text()
    module = ModuleType("my_updates")
    monkeypatch.setitem(sys.modules, "my_updates", module)  # dataclasses look the module up
    exec(re.search(r"`my_updates.py`:\n+```python\n(.*?)```", guide, re.DOTALL)[1], module.__dict__)
    rule, resumed = (module.LongStart(n_critic=1, n_gen=3, first=2) for _ in range(2))
    for _ in range(4):
        sequence(rule)
    resumed.load_state_dict(rule.state_dict())
    assert [sequence(resumed) for _ in range(4)] == [sequence(rule) for _ in range(4)]
    assert len({sequence(rule) for _ in range(3)}) == 2
