"""One forward pass of the discriminator over real and generated images: when it is used, and what it computes."""

import pytest
import torch
from helpers.bench import Bench

SNGAN = (
    "data.resolution=16",
    "data.channels=3",
    "model=sngan",
    "model.conditional=true",
    "model.generator.widths=[8,8,8]",
    "model.discriminator.widths=[8,8]",
    "model.discriminator.halvings=2",
)
MLP = ("model=mlp", "model.generator.hidden=[16]", "model.discriminator.hidden=[16]")
DCGAN = ("data.resolution=16", "model=dcgan", "model.generator.width=4", "model.discriminator.width=4")
PLAIN_DCGAN = (*DCGAN, "model.discriminator.norm=none", "model.conditional=true")
CASES = {
    "critic": (MLP, "loss=wgan_gp", "schedule.updates.n_critic=1"),
    "projection": (PLAIN_DCGAN, "loss=hinge"),
    "class_head": (PLAIN_DCGAN, "loss=non_saturating", "loss/auxiliary=class_head", "model.discriminator.head=classes"),
}


def gradients_of_one_update(monkeypatch, *overrides, model):
    """Return a bench after one step, and a dictionary from the discriminator's parameter names to gradients."""
    bench = Bench("data.num_classes=3", *overrides, model=model)
    monkeypatch.setattr(bench.optimizers[1], "step", lambda: None)
    torch.manual_seed(1)
    bench.step()
    return bench, {name: each.grad for name, each in bench.gan.discriminator.named_parameters()}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_gradients_of_one_pass_equal_two_passes(case, monkeypatch):
    model, *overrides = case
    bench, joint = gradients_of_one_update(monkeypatch, *overrides, model=model)
    assert bench.gan.objective.joint_batch
    _, separate = gradients_of_one_update(monkeypatch, *overrides, "schedule.joint_batch=false", model=model)
    for name, gradient in separate.items():
        torch.testing.assert_close(joint[name], gradient, rtol=1e-4, atol=1e-6, msg=name)


def test_one_power_iteration_for_each_update():
    bench = Bench("data.num_classes=3", "loss=hinge", "schedule.updates.n_critic=2", model=SNGAN)
    norm = next(each for name, each in bench.gan.discriminator.named_modules() if name.endswith("weight.0"))
    iterates = []
    copy = torch._foreach_copy_

    def watched(targets, sources):
        if any(target is norm._u for target in targets):
            iterates.append(norm._u.clone())
        copy(targets, sources)

    torch._foreach_copy_, restore = watched, torch._foreach_copy_
    try:
        bench.step(2)
    finally:
        torch._foreach_copy_ = restore
    assert len(iterates) == 2 * 3  # two updates of D and one of G in each of two steps
    assert norm.group is None


@pytest.mark.parametrize(
    ("overrides", "joint"),
    [
        (("model.discriminator.norm=none",), True),
        (("model.discriminator.norm=layer",), True),
        (("model.discriminator.norm=batch",), False),
        (("model.discriminator.norm=none", "model.discriminator.minibatch=discrimination"), False),
        (("model.discriminator.norm=none", "model.discriminator.minibatch=std"), False),
        (("model.discriminator.norm=none", "schedule.joint_batch=false"), False),
    ],
)
def test_joint_batch_only_without_statistics_of_batch(overrides, joint):
    assert Bench("loss=non_saturating", *overrides, model=DCGAN).gan.objective.joint_batch is joint


BATCHES = []  # the sizes of the batches that `MixUp` receives


class MixUp:
    """A user's augmentation, which must not mix real with generated images."""

    needs_separate_batches = True

    def __call__(self, images):
        BATCHES.append(len(images))
        return (images + images[torch.randperm(len(images))]) / 2


def test_no_joint_batch_with_an_augmentation_that_mixes_images():
    bench = Bench("loss=hinge", f"+augment.own={{_target_: {__name__}.MixUp}}")
    bench.step()
    assert set(BATCHES) == {bench.cfg.schedule.batch_size}
