"""Two processes that train one network together do what one process does with the whole batch."""

import math

import numpy as np
import pytest
from helpers.ranks import diverge, exhaust_memory, run_ranks, score, train, train_all, train_without_exchange

pytestmark = pytest.mark.slow

DCGAN = ("model=dcgan", "data.resolution=16", "model.generator.width=4", "model.discriminator.width=4")
NO_NORM = ("model.generator.norm=none", "model.discriminator.norm=none")
SPECTRAL = (*DCGAN, *NO_NORM, "model.discriminator.spectral_norm=persistent")
CASES = {
    "plain": ("loss=non_saturating",),
    "gradient_penalty": ("loss=wgan_gp",),
    "spectral_norm_ema": ("loss=hinge", *SPECTRAL, "schedule.ema.decay=0.9"),
    "conditional": ("loss=wgan_gp", "model.conditional=true", "schedule.clip_gradients.generator=0.1"),
    "loss_limit": ("loss=hinge", "schedule/updates=loss_limit", "schedule.updates.limit=1.2"),
    "accumulated": ("loss=hinge", *SPECTRAL, "schedule.accumulate=2"),
}


MACHINES = {"accumulated": 2}  # number of machines with one device each; other cases have one machine with two devices


def largest_difference(ours, theirs):
    """Return the largest relative difference of a weight between two states.

    The relative difference is the norm of the difference, divided by the norm of the weight in `theirs`.
    """
    assert ours.keys() == theirs.keys()
    norms = {name: (np.linalg.norm(ours[name] - theirs[name]), np.linalg.norm(theirs[name])) for name in ours}
    return max(difference / max(norm, 1e-3) for difference, norm in norms.values())


@pytest.fixture(scope="module")
def trained_in_two_processes(tmp_path_factory):
    """Train each case in the same two processes; return, for each case, the results of both processes."""
    runs = [(CASES[case], str(tmp_path_factory.mktemp(case)), MACHINES.get(case, 1)) for case in CASES]
    return dict(zip(CASES, zip(*run_ranks(train_all, runs), strict=True), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_two_processes_train_as_one_with_all_images(case, trained_in_two_processes, tmp_path):
    first, second = trained_in_two_processes[case]
    weights, logged, d_steps = train(CASES[case], str(tmp_path))
    assert all(np.array_equal(first[0][name], second[0][name]) for name in weights)
    assert largest_difference(first[0], weights) < 1e-5
    assert first[2] == second[2] == d_steps
    assert first[1] == pytest.approx(logged, rel=1e-4)


def test_processes_without_exchange_train_differently(tmp_path):
    first, second = run_ranks(train_without_exchange, CASES["plain"], str(tmp_path / "two"))
    weights, *_ = train(CASES["plain"], str(tmp_path / "one"))
    assert largest_difference(first[0], weights) > 1e-2
    assert largest_difference(first[0], second[0]) > 1e-2


def test_two_processes_score_as_one(tmp_path):
    one = score(str(tmp_path))  # this puts the classifier into the cache
    first, second = run_ranks(score, str(tmp_path))
    assert len(one) > 10
    assert not any(map(math.isnan, one.values()))
    assert first == second
    assert first == pytest.approx(one, rel=1e-5)


def test_images_not_finite_in_one_process_stop_both(tmp_path):
    first, second = run_ranks(diverge, str(tmp_path))
    assert first == second
    assert first[0].startswith("The run diverged: NaN or infinity in loss/discriminator")
    assert first[1] == 5


def test_no_memory_in_one_process_names_the_fix(tmp_path):
    first, second = run_ranks(exhaust_memory, str(tmp_path))
    assert "schedule.accumulate=2" in second
    assert "closed by peer" in first or "reset by peer" in first
