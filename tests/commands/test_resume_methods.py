"""A run that was killed and resumed ends with the same bits as an undisturbed run.

Each test trains with another method, such as BEGAN or the update rule `LossLimit`.
"""

import json
import signal

import pytest
from helpers.cli import ganexp, ganexp_process
from helpers.states import last_checkpoint, logged_points, same_state, wait_for_step

WORDS = (
    *("data=fake", "data.resolution=8", "data.channels=1", "data.source.size=64", "metrics=none", "trainer=cpu"),
    *("schedule.steps=45", "schedule.evaluate_every=10", "schedule.batch_size=8", "trainer.log_every=5"),
    *("callbacks=none", "hydra.run.dir=run"),
)
NARROW = ("model.generator.width=4", "model.discriminator.width=4")
# The steps of these networks are so short that there must be many of them, or the run would end before it is killed.
MLP = ("model=mlp", "model.generator.hidden=[16]", "model.discriminator.hidden=[16]", "schedule.steps=95")
METHODS = {
    "began": ("model=autoencoder", *NARROW, "loss=began"),
    "dfm": (
        *("loss=non_saturating", "loss/auxiliary=feature_denoising", "model.auxiliary.denoiser.layers=3"),
        *NARROW,
    ),
    "penalty": (*MLP, "loss=wgan_gp", "loss.n_critic=1"),
    "limit": (*MLP, "loss=hinge", "schedule/updates=loss_limit", "schedule.updates.limit=0.5"),
    "workers": (*MLP, "loss=least_squares", "data.in_memory=false", "data.workers=2", "data.flip=true"),
}


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_killed_run_of_a_method_ends_with_the_same_bits(method, tmp_path):
    words = (*WORDS, *METHODS[method])
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    ganexp(*words, cwd=tmp_path / "whole")
    process = ganexp_process(*words, cwd=tmp_path / "killed")
    run = tmp_path / "killed" / "run"
    wait_for_step(run, 15, process)  # after a checkpoint, between two evaluations
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert json.loads((run / "run.json").read_text())["status"] == "running"
    ganexp("resume", "run", cwd=tmp_path / "killed")
    ours, undisturbed = last_checkpoint(run), last_checkpoint(tmp_path / "whole" / "run")
    for part in ("state_dict", "optimizer_states", "StreamData"):
        assert same_state(ours[part], undisturbed[part]), part
    assert logged_points(run) == logged_points(tmp_path / "whole" / "run")
    if method == "began":
        assert ours["state_dict"]["objective.adversarial.k"] > 0
        assert [point for point in logged_points(run) if "objective/convergence" in point]
    elif method == "dfm":
        assert len(ours["optimizer_states"]) == 3
        assert [key for key in ours["state_dict"] if key.startswith("networks.denoiser.")]
