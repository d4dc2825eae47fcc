"""Networks that grow by stages have the right stage at each step, in checkpoints and after a resume."""

import json

import pytest
import torch
from helpers.bench import Bench
from helpers.cli import ganexp
from helpers.config import TINY, config
from helpers.states import last_checkpoint, logged_points, same_state

from ganexp import build
from ganexp.commands.estimation.estimate import estimate
from ganexp.errors import UserError
from ganexp.loaded_run import load_run
from ganexp.training.schedules import ProgressiveGrowth

pytestmark = pytest.mark.slow

NETWORKS = ("model=progressive", "model.latent.dim=4", "model.generator.width=2", "model.generator.max_width=4")
GROWTH = ("schedule/growth=progressive", "schedule.growth.images_per_stage=12", "loss/penalty=drift")
SIZE = ("data.resolution=16", "schedule.updates.n_critic=1", "schedule.ema.decay=0.5", "schedule.steps=6")


def bench(*overrides):
    """Return a Bench for 16x16 pixels.

    With the overrides GROWTH, networks start at 4x4 pixels and grow by 8/12 of a stage in each step.
    """
    return Bench(*SIZE, *overrides, model=NETWORKS)


@pytest.mark.parametrize(
    ("step", "stage"),
    [(0, 0.0), (12_500, 0.5), (25_000, 1.0), (37_500, 1.5), (81_250, 3.25), (150_000, 6.0), (400_000, 16.0)],
)
def test_stage_of_a_step_in_the_published_case(step, stage):
    growth = ProgressiveGrowth(images_per_stage=400_000, batch_size=16)
    assert growth(step) == stage
    assert step == 0 or growth(step - 1) < stage


def test_all_networks_and_the_average_have_the_stage_of_the_step():
    grown = bench(*GROWTH)
    networks = [grown.gan.generator, grown.gan.discriminator, grown.gan.averaged_generator.network]
    assert [network.stage for network in networks] == [0.0] * 3  # the stage of the evaluation before the first step
    for step in range(7):
        grown.step()
        assert [network.stage for network in networks] == [min(step * 8 / 12, 4.0)] * 3


def test_networks_that_grow_have_full_size_without_growth():
    grown = bench()
    grown.step()
    assert grown.gan.generator.stage == grown.gan.discriminator.stage == 4.0


def test_evaluations_show_the_average_at_the_stage():
    grown = bench(*GROWTH)
    grown.step(3)  # the last step is at stage 4/3: images of 8x8 pixels, in which new layers have a share of 1/3
    gan, z = grown.gan, torch.randn(2, 4)
    images = gan.sampling_generator(z)
    blocks = images.unflatten(2, (8, 2)).unflatten(4, (8, 2))
    assert images.shape == (2, 1, 16, 16)
    assert torch.equal(blocks, blocks[:, :, :, :1, :, :1].expand_as(blocks))
    gan.averaged_generator.network.load_state_dict(gan.generator.state_dict())
    assert torch.equal(gan.sampling_generator(z), gan.generator(z))


def test_losses_get_real_images_of_the_stage():
    grown = bench(*GROWTH)
    received, gan = [], grown.gan
    terms = gan.objective.terms

    def watched(network, networks, batch):
        whole = gan._real.images
        received.append(torch.equal(batch.real, gan.discriminator.prepare_real(whole)))
        assert torch.equal(batch.real, whole) == (gan.discriminator.stage == 4.0)
        return terms(network, networks, batch)

    gan.objective.terms = watched
    grown.step(7)
    assert received == [True] * 14  # in the updates of both networks


def test_growth_needs_networks_that_grow():
    with pytest.raises(UserError, match=r"schedule\.growth needs networks that grow: use model=progressive"):
        Bench("schedule/growth=progressive")


def test_drift_allows_batch_norm():
    Bench("loss=hinge", "loss/penalty=drift", model=("model=dcgan", "model.discriminator.norm=batch")).step()


def test_cost_is_estimated_at_full_size(monkeypatch):
    stages, build_gan = [], build.build_gan

    def watched(cfg):
        gan = build_gan(cfg)
        stages.append((gan.generator.stage, gan.growth))
        return gan

    monkeypatch.setattr(build, "build_gan", watched)
    words = (*NETWORKS, *TINY, *SIZE, *GROWTH, "data=fake", "data.source.size=24", "trainer=cpu")
    cost = estimate(config(*words))
    assert stages == [(4.0, None)]
    assert cost["notes"][0].startswith("the networks grow")


def test_run_that_stops_within_a_fade_resumes_exactly(tmp_path):
    data = ("data=fake", "data.channels=1", "data.source.size=24", "callbacks=none", "logger=none", "trainer=cpu")
    words = (*NETWORKS, *TINY, *data, *SIZE, *GROWTH)
    ganexp(*words, "hydra.run.dir=whole", cwd=tmp_path)
    run = tmp_path / "run"
    ganexp(*words, "trainer.max_time=00:00:00:00", "hydra.run.dir=run", cwd=tmp_path)
    for step in (2, 4):
        assert json.loads((run / "run.json").read_text())["status"] == "interrupted"
        checkpoint = last_checkpoint(run)
        assert checkpoint["ganexp"]["step"] == step
        stages = {value for name, value in checkpoint["state_dict"].items() if name.endswith("_extra_state")}
        assert stages == {(step - 1) * 8 / 12}  # the stage of the last step
        ganexp("resume", "run", cwd=tmp_path)
    ours, undisturbed = last_checkpoint(run), last_checkpoint(tmp_path / "whole")
    for part in ("state_dict", "optimizer_states", "StreamData"):
        assert same_state(ours[part], undisturbed[part]), part
    assert logged_points(run) == logged_points(tmp_path / "whole")
    loaded = load_run(str(run / "checkpoints" / "last.ckpt"), "cpu").gan
    assert loaded.sampling_generator.network.stage == 5 * 8 / 12
