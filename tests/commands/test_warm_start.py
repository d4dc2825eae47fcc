"""`init_from`: a training that starts with the weights of another run."""

import json

import pytest
import torch
from helpers.cli import ganexp
from helpers.config import TINY, config

from ganexp.build import build_gan
from ganexp.commands.warm_start import warm_start
from ganexp.errors import UserError
from ganexp.runs.run_directory import RunDirectory
from ganexp.training.schedules import set_stage

AVERAGED = "schedule.ema.decay=0.9"


def saved(path, *overrides, step=7, seed=1):
    """Save new networks as the checkpoint of a run, and return the GAN and the run."""
    torch.manual_seed(seed)
    gan = build_gan(config(*TINY, *overrides))
    for tensor in gan.state_dict().values():
        if isinstance(tensor, torch.Tensor) and tensor.is_floating_point():
            tensor.add_(torch.rand_like(tensor))  # so that an averaged generator differs from the generator
    run = RunDirectory(path / "earlier")
    run.best.parent.mkdir(parents=True)
    torch.save({"state_dict": gan.state_dict(), "ganexp": {"step": step}}, run.best)
    return gan, run


def equal(first, second):
    pairs = zip(first.state_dict().items(), second.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


@pytest.mark.parametrize("overrides", [(), ("model=dcgan", "model.conditional=true")], ids=["mlp", "dcgan"])
def test_warm_start_loads_every_network(tmp_path, overrides):
    earlier, run = saved(tmp_path, *overrides)
    gan = build_gan(config(*TINY, *overrides))
    found = warm_start(str(run.path), gan)
    assert all(equal(gan.networks[name], earlier.networks[name]) for name in ("generator", "discriminator"))
    assert found == {"checkpoint": str(run.best), "step": 7, "networks": ["generator", "discriminator"]}
    assert gan.step == 0


def test_warm_start_loads_the_average_if_there_is_one(tmp_path):
    earlier, run = saved(tmp_path, AVERAGED)
    gan = build_gan(config(*TINY, AVERAGED))
    warm_start(str(run.best), gan)
    assert equal(gan.averaged_generator.network, earlier.averaged_generator.network)
    assert not equal(gan.averaged_generator.network, gan.generator)


def test_warm_start_averages_from_the_loaded_generator(tmp_path):
    earlier, run = saved(tmp_path)
    gan = build_gan(config(*TINY, AVERAGED))
    warm_start(str(run.path), gan)
    assert equal(gan.averaged_generator.network, earlier.generator)


def test_warm_start_of_other_shapes_is_refused_unchanged(tmp_path):
    _, run = saved(tmp_path)
    gan = build_gan(config(*TINY, "model.discriminator.hidden=[64]"))
    before = {name: value.clone() for name, value in gan.state_dict().items()}
    with pytest.raises(UserError, match=r"(?s)init_from=.* discriminator of that run does not fit:.*in the checkpoint"):
        warm_start(str(run.path), gan)
    assert all(torch.equal(value, before[name]) for name, value in gan.state_dict().items())


@pytest.mark.parametrize("average", [(), (AVERAGED,)], ids=["no average", "average"])
@pytest.mark.parametrize(("growth", "stage"), [(("schedule/growth=progressive",), 0.0), ((), 4.0)])
def test_warm_start_has_the_stage_of_the_new_run(tmp_path, growth, stage, average):
    size = ("data.resolution=16", "model=progressive", "model.generator.width=2", "model.generator.max_width=4")
    earlier, run = saved(tmp_path, *size, "schedule/growth=progressive", AVERAGED)
    set_stage(earlier.modules(), 1, lambda step: 1.5)
    torch.save({"state_dict": earlier.state_dict(), "ganexp": {"step": 7}}, run.best)
    gan = build_gan(config(*TINY, *size, *growth, *average))
    warm_start(str(run.path), gan)
    assert {module.stage for module in gan.modules() if hasattr(module, "set_stage")} == {stage}


@pytest.mark.parametrize("name", ["missing", "earlier/run.json"])
def test_warm_start_without_a_checkpoint_is_refused(tmp_path, name):
    (tmp_path / "earlier").mkdir()
    (tmp_path / "earlier" / "run.json").write_text("{}")
    with pytest.raises(UserError, match=name):
        warm_start(str(tmp_path / name), build_gan(config(*TINY)))


def test_random_weights_do_not_depend_on_warm_start(tmp_path):
    _, run = saved(tmp_path)
    gan = build_gan(config(*TINY))
    torch.manual_seed(5)
    warm_start(str(run.path), gan)
    drawn = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(3))


@pytest.mark.slow
def test_run_records_its_warm_start_and_resumes_without_it(tmp_path):
    _, run = saved(tmp_path)
    still = ("optimizer.generator.lr=0", "optimizer.discriminator.lr=0", "init_from=earlier")
    printed = ganexp(*TINY, *still, "hydra.run.dir=run", cwd=tmp_path).stdout
    assert "initial weights: generator, discriminator of earlier/checkpoints/best.ckpt at step 7\n" in printed
    own = RunDirectory(tmp_path / "run")
    assert json.loads(own.metadata_file.read_text())["init_from"]["checkpoint"] == str(run.best)
    assert own.points()[0]["step"] < 7
    states = [torch.load(path, weights_only=True)["state_dict"] for path in (run.best, own.last)]
    names = [name for name in states[0] if name.startswith("networks.")]
    assert names
    assert all(torch.equal(states[0][name], states[1][name]) for name in names)
    run.best.unlink()
    assert "initial weights" not in ganexp("resume", "run", "schedule.steps=6", cwd=tmp_path).stdout
