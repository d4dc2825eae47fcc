"""Updates whose batch is divided into equal parts: gradients, state and logs are the same as for undivided batches."""

import contextlib
import copy
import json
import re
from unittest import mock

import pytest
import torch
from helpers.bench import Bench
from helpers.cli import ganexp
from helpers.config import TINY, config
from helpers.states import last_checkpoint, logged_points, same_state

from ganexp.build import build_gan
from ganexp.commands.prepare import prepare
from ganexp.errors import UserError
from ganexp.models.latent import Latent
from ganexp.models.mlp import Discriminator
from ganexp.training import accumulation, processes
from ganexp.training import trainer as trainers
from ganexp.training.scored_module import ScoredModule

pytestmark = pytest.mark.slow

PARTS, IMAGES, STEPS = 2, 8, 4
# With a larger epsilon, rounding errors of gradients near 0 do not become full steps of Adam.
EPSILON = ("optimizer.generator.eps=1e-3", "optimizer.discriminator.eps=1e-3")
DCGAN = ("data.resolution=16", "model=dcgan", "model.generator.width=4", "model.discriminator.width=4")
NO_NORM = ("model.generator.norm=none", "model.discriminator.norm=none")
SPECTRAL = (*DCGAN, *NO_NORM, "loss=hinge", "model.discriminator.spectral_norm=persistent")
MLP = ("model=mlp", "model.generator.hidden=[16,16]", "model.discriminator.hidden=[16,16]")
CASES = {
    "plain": (*MLP, "loss=non_saturating"),
    "gradient_penalty": (*MLP, "loss=wgan_gp", "schedule.updates.n_critic=2"),
    "spectral_norm": SPECTRAL,
    "spectral_norm_in_two_passes": (*SPECTRAL, "schedule.joint_batch=false"),
    "conditional": (*MLP, "loss=wgan_gp", "model.conditional=true", "schedule.clip_gradients.generator=0.1"),
    "shared_fakes": (*MLP, "loss=hinge", "schedule.updates.fakes=shared", "schedule.updates.n_critic=1"),
    "began": ("loss=began", "model=autoencoder", "model.generator.width=2", "model.discriminator.width=2"),
}


def draw_whole_batches(patch):
    """Let latents, labels and the penalty's ε be drawn for whole batches; a batch's parts get their shares in turn."""
    rand, randint, sample, left = torch.rand, torch.randint, Latent.sample, {}

    def share(kind, count, draw):
        """Return the next `count` rows of `draw()`, which draws for a whole batch."""
        rows = left[kind] if len(left.get(kind, ())) else draw()
        left[kind] = rows[count:]
        return rows[:count]

    def rand_share(shape, **options):
        if options.get("generator") is not None:  # this call draws the order of the images
            return rand(shape, **options)
        return share("epsilon", shape[0], lambda: rand((IMAGES, *shape[1:]), **options))

    patch.setattr(torch, "rand", rand_share)
    patch.setattr(
        torch, "randint", lambda high, shape, **to: share("y", shape[0], lambda: randint(high, (IMAGES,), **to))
    )
    patch.setattr(Latent, "sample", lambda latent, count, to: share("z", count, lambda: sample(latent, IMAGES, to)))


def trained(case, parts, steps=STEPS):
    """Return a Bench after `steps` training steps; their random numbers were drawn for whole batches."""
    bench = Bench(*CASES[case], *EPSILON, f"schedule.accumulate={parts}", model=())
    bench.gan.log_every = 1
    bench.gan._log_losses = lambda: None
    with pytest.MonkeyPatch.context() as patch:
        draw_whole_batches(patch)
        torch.manual_seed(3)
        bench.step(steps)
    return bench


def differences(ours, theirs):
    """Return the largest relative difference of a tensor between two states.

    The relative difference is the norm of the difference, divided by the norm of the tensor in `theirs`.
    """
    assert ours.keys() == theirs.keys()
    pairs = [(ours[name].float(), theirs[name].float()) for name in ours]
    return max((a - b).norm() / b.norm().clamp_min(1e-3) for a, b in pairs)


@pytest.mark.parametrize("case", CASES)
def test_parts_train_as_the_whole_batch(case):
    whole, parts = trained(case, 1), trained(case, PARTS)
    assert differences(parts.gan.state_dict(), whole.gan.state_dict()) < 1e-5
    ours, theirs = ({key: value.item() for key, value in each.gan._values.last.items()} for each in (parts, whole))
    assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-5)
    assert (parts.gan.d_steps, parts.gan.images_seen) == (whole.gan.d_steps, whole.gan.images_seen)


def test_sum_of_parts_trains_differently():
    """If the parts' gradients were summed, not averaged, training would give other weights, even with Adam."""
    whole = trained("plain", 1)
    with mock.patch.object(torch, "_foreach_div", lambda sums, parts: sums):
        parts = trained("plain", PARTS)
    assert differences(parts.gan.state_dict(), whole.gan.state_dict()) > 1e-3


def replace_norms(gan):
    """Replace every batch norm by a copy, as Lightning does before a training with synchronised batch norm."""
    for parent in list(gan.networks.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, torch.nn.BatchNorm2d):
                setattr(parent, name, copy.deepcopy(child))


@pytest.mark.parametrize("replaces_norms", [False, True])
def test_statistics_are_means_over_the_parts(replaces_norms):
    bench = Bench(*DCGAN, "loss=non_saturating", "schedule.accumulate=2", model=())
    if replaces_norms:
        replace_norms(bench.gan)
        bench.move("cpu")  # with optimizers for the new layers
    norm = next(layer for layer in bench.gan.generator.modules() if isinstance(layer, torch.nn.BatchNorm2d))
    means = []
    norm.register_forward_pre_hook(lambda layer, inputs: means.append(inputs[0].mean((0, 2, 3)).detach()))
    bench.step()
    assert len(means) == 2 * PARTS  # each part of D's update and of G's update generates images
    expected = torch.zeros_like(norm.running_mean)
    for first in (0, PARTS):
        expected = 0.9 * expected + 0.1 * torch.stack(means[first : first + PARTS]).mean(0)
    assert torch.allclose(norm.running_mean, expected, atol=1e-6)
    assert norm.num_batches_tracked == 2


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        (("schedule.accumulate=3",), "use schedule.accumulate=2, or a multiple of 3 as schedule.batch_size"),
        (("schedule.accumulate=4", "trainer.devices=4"), "4 parts on each of 4 devices"),
        (("schedule.accumulate=2", "trainer.cuda_graph=true"), "use only one of the two settings"),
    ],
)
def test_batches_that_cannot_be_divided_are_refused(words, fix):
    with pytest.raises(UserError, match=fix):
        build_gan(config(*TINY, *words))


NORM = "model.generator.norm=batch"
FEATURES = ("model=dcgan", "model.generator.norm_after_linear=features")


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        ((NORM, "schedule.batch_size=1"), r"1 image, .* at least 2: use schedule\.batch_size=2 or more"),
        ((NORM, "schedule.accumulate=8"), r"use schedule\.accumulate=4, or schedule\.batch_size=16 or more"),
        ((*FEATURES, "schedule.accumulate=8"), "at least 2: use"),
        ((NORM, "schedule.accumulate=2", "trainer.devices=4"), r"1 image on each of 4 devices, .*accumulate=1, or"),
        (("loss=cramer", "schedule.accumulate=4"), r"2 images, .* at least 3: use schedule\.accumulate=2, or"),
        (("loss=cramer", "schedule.batch_size=2"), r"at least 3: use schedule\.batch_size=3 or more"),
    ],
)
def test_parts_with_too_few_images_are_refused(words, fix):
    with pytest.raises(UserError, match=fix):
        build_gan(config(*TINY, *words))


@pytest.mark.parametrize(
    "words",
    [
        ("model=mlp", "schedule.batch_size=1"),
        ("model=mlp", "model.generator.norm=inert", "schedule.batch_size=1"),  # does not compute statistics
        ("model=dcgan", "model.generator.norm=batch", "schedule.accumulate=8"),  # statistics over height and width
        (NORM, "trainer.devices=8", "trainer.sync_batchnorm=true"),
        ("loss=cramer", "schedule.batch_size=3"),
    ],
)
def test_smallest_parts_that_a_run_can_use_are_accepted(words):
    build_gan(config(*TINY, *words))


@pytest.mark.parametrize(
    ("words", "images"), [((*MLP, NORM, "loss=non_saturating"), 2), ((*MLP, "loss=cramer", "loss.logits=4"), 4)]
)
def test_batch_is_not_halved_below_the_least_number_of_images(words, images):
    """The error says that memory is short, and not that a part of the batch has too few images."""
    words = (*words, "schedule.joint_batch=false")
    small = Bench(*words, f"schedule.batch_size={images}", model=())
    with limited(images - 1), pytest.raises(torch.OutOfMemoryError):
        small.step()
    large = Bench(*words, f"schedule.batch_size={2 * images}", model=())
    with limited(images):
        large.step()
    assert large.gan.accumulated.parts == 2


@contextlib.contextmanager
def limited(images, affected=lambda images: True):
    """Let the discriminator run out of memory on a batch of more than `images` images if `affected(batch)` is true.

    The CPU reports this as a GPU does.
    """
    forward = Discriminator.forward

    def limited_forward(network, x, labels=None):
        if len(x) > images and affected(x):
            raise torch.OutOfMemoryError(f"{len(x)} images are too many\nand a second line")
        return forward(network, x, labels)

    with (
        mock.patch.object(Discriminator, "forward", limited_forward),
        mock.patch.object(accumulation, "reports_out_of_memory", return_value=True),
    ):
        yield


OOM = (*TINY, "loss=hinge", "data.flip=true", "model=mlp", "schedule.joint_batch=false", "hydra.run.dir=run")


def test_run_out_of_memory_equals_one_in_parts(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for directory in (first, second):
        directory.mkdir()
    with limited(4):
        done = ganexp(*OOM, cwd=first)
        ganexp(*OOM, "schedule.steps=6", "schedule.accumulate=2", cwd=second)
        ganexp("resume", "run", "schedule.steps=6", cwd=first)  # this command must not run out of memory
    assert done.stdout.count("the 8 images of an update go through the networks in 2 parts") == 1
    recorded = json.loads((first / "run/run.json").read_text())
    assert recorded["out_of_memory"] == {"step": 0, "update": "discriminator", "accumulate": 2}
    assert logged_points(first / "run") == logged_points(second / "run")
    ours, theirs = last_checkpoint(first / "run"), last_checkpoint(second / "run")
    assert same_state(ours["state_dict"], theirs["state_dict"])


def test_out_of_memory_in_half_a_batch_names_settings(tmp_path):
    with limited(3):
        done = ganexp(*OOM, cwd=tmp_path, check=False)
        again = ganexp(*OOM, "trainer.on_oom=raise", cwd=tmp_path, check=False)
    assert done.returncode == again.returncode == 1
    assert "out of memory: 4 images are too many\nAn update has schedule.batch_size=8 images" in done.stderr
    assert "use schedule.accumulate=4 or a smaller schedule.batch_size" in done.stderr
    assert "use schedule.accumulate=2 or a smaller schedule.batch_size" in again.stderr


@pytest.mark.parametrize(
    ("words", "batch_size", "suggested"),
    [
        (("trainer=ddp", "trainer.cuda_graph=auto"), 12, "use schedule.accumulate=2 or a"),
        (("trainer=ddp",), 10, "use schedule.accumulate=5 or a"),
        ((), 8, "use schedule.accumulate=2 or a"),
        ((), 25, "use schedule.accumulate=5 or a"),
        (("schedule.accumulate=2",), 12, "use schedule.accumulate=3 or a"),
        (("schedule.accumulate=7",), 7, "use a"),
        (("trainer.cuda_graph=true",), 9, "use schedule.accumulate=3 trainer.cuda_graph=auto or a"),
        (("model.generator.norm=batch",), 9, "use schedule.accumulate=3 or a"),
        (("model.generator.norm=batch",), 7, "use a"),  # batch norm needs two images in each part
    ],
)
def test_out_of_memory_suggests_settings_that_are_accepted(monkeypatch, words, batch_size, suggested):
    words = ("model=mlp", "loss=hinge", "schedule.joint_batch=false", f"schedule.batch_size={batch_size}", *words)
    cfg = config(*TINY, *words)
    gan = build_gan(cfg)
    monkeypatch.setattr(processes, "count", lambda: cfg.trainer.devices)
    error = accumulation.out_of_memory(torch.OutOfMemoryError("too many"), gan, batch_size)
    monkeypatch.undo()
    assert f"{suggested} smaller schedule.batch_size" in str(error)
    fix = re.findall(r"schedule\.accumulate=\d+|trainer\.cuda_graph=\w+", suggested)
    build_gan(config(*TINY, *words, *fix))


def test_out_of_memory_in_an_evaluation_names_its_batch_size():
    prepared = prepare(config(*TINY, "trainer=cpu", "metrics.batch_size=7"))
    error = torch.OutOfMemoryError("too many\nand a second line")
    with (
        mock.patch.object(ScoredModule, "on_validation_start", side_effect=error),
        pytest.raises(UserError, match=r"too many\nThe evaluation's batches have metrics\.batch_size=7 images: use a"),
    ):
        trainers.validate(prepared.gan, prepared.data, prepared.device)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_state_is_saved_only_if_the_device_reports_a_lack_of_memory(device):
    assert accumulation.reports_out_of_memory(torch.device(device)) == (device == "cuda")
    bench = Bench(*CASES["plain"], model=())
    with (
        mock.patch.object(accumulation, "reports_out_of_memory", return_value=device == "cuda"),
        mock.patch.object(accumulation._State, "save") as save,
    ):
        bench.step()
    assert save.called == (device == "cuda")


def test_shared_images_are_not_generated_again():
    """An update of G that uses the images of D's update cannot be repeated in parts: they were generated as a whole."""
    bench = Bench(*CASES["shared_fakes"], "schedule.joint_batch=false", model=())
    with limited(4):
        bench.step()
    assert bench.gan.accumulated.parts == 2  # this number was doubled in D's update, before there were shared images
    bench = Bench(*CASES["shared_fakes"], "schedule.joint_batch=false", model=())
    with limited(4, lambda images: images.requires_grad), pytest.raises(torch.OutOfMemoryError):
        bench.step()


def test_gradient_that_waits_for_its_step_is_kept():
    order = ("schedule.updates.order=simultaneous", "schedule.updates.n_critic=1", "schedule.joint_batch=false")
    bench = Bench(*CASES["plain"], *order, model=())
    before = [weight.detach().clone() for weight in bench.gan.generator.parameters()]
    with limited(4, lambda images: not images.requires_grad):  # fails in D's update, after G's gradient is computed
        bench.step()
    assert bench.gan.accumulated.parts == 2
    assert not any(map(torch.equal, before, bench.gan.generator.parameters()))
