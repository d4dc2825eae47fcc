"""The objective: which images are augmented, the state in checkpoints, and terms of auxiliary losses."""

import pytest
import torch
from helpers.bench import Bench
from torch import nn

from ganexp.errors import UserError
from ganexp.losses import Hinge
from ganexp.losses.objective import Batch, Objective


class Watched(nn.Module):
    """A discriminator that remembers what it is given."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 1)
        self.seen = []

    def forward(self, images, labels=None):
        self.seen.append(images)
        return self.linear(images.flatten(1)).squeeze(1)


class Counter(nn.Module):
    """An augmentation with a state: it adds 10 to every pixel, and counts its calls in a buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, images):
        self.calls += 1
        return images + 10


def slope_penalty(discriminator, real, real_labels, fake, fake_labels):
    at = real.clone().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(at, real_labels).sum(), at, create_graph=True)
    return slope.square().sum()


def test_every_image_of_the_discriminator_is_augmented():
    network = Watched()
    objective = Objective(Hinge(), {"slope": slope_penalty}, augmentations=[Counter()])
    batch = Batch(torch.zeros(2, 1, 2, 2), None, torch.ones(2, 1, 2, 2, requires_grad=True), None)
    terms = objective.terms("discriminator", {"discriminator": network}, batch)
    objective.terms("generator", {"discriminator": network}, batch)
    assert [images.mean().item() for images in network.seen] == [10, 11, 10, 11]
    assert list(terms) == ["real", "fake", "slope"]
    # The gradient passes through the augmentation.
    assert torch.allclose(terms["slope"], 2 * network.linear.weight.square().sum())


def test_state_of_parts_is_in_the_state_dict():
    objective = Objective(Hinge(), augmentations=[Counter()])
    objective.augmentations[0](torch.zeros(1))
    state = objective.state_dict()
    assert [int(value) for value in state.values()] == [1]
    other = Objective(Hinge(), augmentations=[Counter()])
    other.load_state_dict(state)
    assert int(other.augmentations[0].calls) == 1
    assert Objective(Hinge()).state_dict() == {}


def test_logit_is_not_augmented():
    network = Watched()
    objective = Objective(Hinge(), augmentations=[Counter()])
    objective.logit(network, torch.zeros(2, 1, 2, 2), None)
    assert network.seen[0].mean() == 0


def test_auxiliary_adds_terms_only_to_networks_it_names():
    class ForGenerator:
        def generator(self, networks, batch):
            return {"extra": batch.fake.sum()}

    bench = Bench("loss=hinge", "schedule.updates.n_critic=1")
    gan = bench.gan
    gan.objective.auxiliary["mine"] = ForGenerator()
    real = next(gan.stream).images
    batch = Batch(real, None, real.clone().requires_grad_(), None)
    assert "extra" in gan.objective.terms("generator", gan.networks, batch)
    assert "extra" not in gan.objective.terms("discriminator", gan.networks, batch)
    assert gan.objective.terms("unknown", gan.networks, batch) == {}


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_update_without_generated_images_is_refused(network):
    batch = Batch(torch.zeros(2, 1, 2, 2), None)
    with pytest.raises(ValueError, match="fake=None"):
        Objective(Hinge()).terms(network, {"discriminator": Watched()}, batch)


class Named:
    """An auxiliary loss whose term and whose logged value have the name `name`, in the updates of both networks."""

    needs_labels = False

    def __init__(self, name: str) -> None:
        self.name = name

    def discriminator(self, networks, batch):
        return {self.name: batch.real.sum()}

    generator = discriminator

    def values(self):
        return {self.name: torch.zeros(())}


@pytest.mark.parametrize(
    ("parts", "network", "part"),
    [
        ({"penalties": {"real": slope_penalty}}, "discriminator", "penalties.real"),
        ({"penalties": {"slope": slope_penalty}, "auxiliary": {"a": Named("slope")}}, "discriminator", "auxiliary.a"),
        ({"auxiliary": {"a": Named("adversarial")}}, "generator", "auxiliary.a"),
        ({"auxiliary": {"a": Named("x"), "b": Named("x")}}, "generator", "auxiliary.b"),
    ],
)
def test_two_terms_with_one_name_are_refused(parts, network, part):
    batch = Batch(torch.zeros(2, 1, 2, 2), None, torch.ones(2, 1, 2, 2))
    with pytest.raises(UserError, match=f"^loss.{part}: the name .* is already used"):
        Objective(Hinge(), **parts).terms(network, {"discriminator": Watched()}, batch)


def each_image(*args):
    return torch.ones(2)


@pytest.mark.parametrize("returned", [torch.ones(2), torch.ones(1), 1.0, None])
@pytest.mark.parametrize("network", ["discriminator", "generator"])
def test_terms_that_are_not_scalars_are_refused(returned, network):
    batch = Batch(torch.zeros(2, 1, 2, 2), None, torch.ones(2, 1, 2, 2))
    own = type("Own", (), {network: lambda self, *args: {"mine": returned}})()
    for objective, part in ((Objective(own), "adversarial"), (Objective(Hinge(), auxiliary={"a": own}), "auxiliary.a")):
        with pytest.raises(UserError, match=rf"^loss.{part}: mine must be a tensor with one number"):
            objective.terms(network, {"discriminator": Watched()}, batch)


def test_terms_without_names_and_penalties_of_images_are_refused():
    batch = Batch(torch.zeros(2, 1, 2, 2), None, torch.ones(2, 1, 2, 2))
    unnamed = type("Unnamed", (), {"discriminator": lambda self, *args: torch.ones(())})()
    with pytest.raises(UserError, match=r"^loss.adversarial: must return a dictionary .* returned a Tensor"):
        Objective(unnamed).terms("discriminator", {"discriminator": Watched()}, batch)
    with pytest.raises(UserError, match=r"^loss.penalties.slope: slope must be a tensor .* of shape \(2,\)"):
        Objective(Hinge(), {"slope": each_image}).terms("discriminator", {"discriminator": Watched()}, batch)


def test_two_values_with_one_name_are_refused():
    with pytest.raises(UserError, match="Named: the name x is already used"):
        Objective(Hinge(), auxiliary={"a": Named("x"), "b": Named("x")}).values()
