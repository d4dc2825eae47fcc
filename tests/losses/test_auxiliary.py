"""Class terms: closed forms, a class head of D, a separate classifier, and which network learns from which images."""

import math
from copy import deepcopy

import pytest
import torch
from helpers.bench import Bench
from helpers.config import config

from ganexp.build import build_gan
from ganexp.errors import UserError
from ganexp.losses import auxiliary
from ganexp.losses.objective import Batch
from ganexp.models import dcgan
from ganexp.models.heads import ClassHead

SMALL = ("model.auxiliary.classifier.width=4", "model.auxiliary.classifier.max_width=8")
DCGAN = ("model=dcgan", "model.generator.width=4", "model.discriminator.width=4")
SURE = torch.tensor([[4.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
RIGHT = -math.log(math.exp(4) / (math.exp(4) + 2))  # cross-entropy of a sure, right answer


def test_class_head_terms_are_cross_entropies():
    labels = torch.tensor([0, 1])
    batch = Batch(None, labels, None, 1 - labels, class_real=SURE, class_fake=SURE)
    head = auxiliary.ClassHead(weight=7.0)
    terms = head.discriminator({}, batch)
    assert terms["class_real"].item() == pytest.approx(RIGHT, rel=1e-4)
    assert terms["class_fake"].item() == pytest.approx(RIGHT + 4, rel=1e-4)
    batch.fake_labels = labels
    assert head.generator({}, batch)["class"].item() == pytest.approx(7 * RIGHT, rel=1e-4)
    assert list(auxiliary.ClassHead(1.0, on_fakes=False).discriminator({}, batch)) == ["class_real"]


def test_classifier_terms_are_cross_entropies():
    labels = torch.tensor([0, 1])
    batch = Batch(SURE, labels, SURE, 1 - labels)
    networks = {"classifier": lambda images: images}
    classifier = auxiliary.SeparateClassifier(weight=7.0)
    assert classifier.classifier(networks, batch)["class"].item() == pytest.approx(RIGHT, rel=1e-4)
    assert classifier.generator(networks, batch)["class"].item() == pytest.approx(7 * (RIGHT + 4), rel=1e-4)


@pytest.mark.parametrize(("logits", "labels"), [(SURE, None), (None, torch.tensor([0, 1]))])
def test_class_loss_names_what_is_missing(logits, labels):
    with pytest.raises(ValueError, match="labels=None" if labels is None else "class_logits=None"):
        auxiliary.class_loss(logits, labels)


def test_a_head_gives_both_from_one_trunk():
    head = ClassHead(6, num_classes=3)
    logits, classes = head(torch.ones(2, 6))
    assert (logits.shape, classes.shape) == ((2,), (2, 3))
    network = dcgan.Discriminator(8, 1, 4, num_classes=3, head="classes")
    plain = dcgan.Discriminator(8, 1, 4, num_classes=3, head="none")
    images = torch.randn(2, 1, 8, 8)
    assert [part.shape for part in network(images)] == [(2,), (2, 3)]
    assert torch.equal(plain(images, torch.tensor([0, 1])), plain(images))
    assert sum(p.numel() for p in network.parameters()) - sum(p.numel() for p in plain.parameters()) == 8 * 16 * 3 + 3
    with pytest.raises(ValueError, match=r"conditional=true"):
        dcgan.Discriminator(8, 1, 4, head="classes")


def test_class_head_adds_terms_to_both_networks():
    bench = Bench("loss=hinge", "loss/auxiliary=class_head", model=DCGAN)
    gan = bench.gan
    real = next(gan.stream)
    fake = gan.generator(gan.latent.sample(8), real.labels)
    batch = Batch(real.images, real.labels, fake.detach(), real.labels)
    d_terms = gan.objective.terms("discriminator", gan.networks, batch)
    assert list(d_terms) == ["real", "fake", "class_real", "class_fake"]
    batch = Batch(real.images, real.labels, fake, real.labels)
    g_terms = gan.objective.terms("generator", gan.networks, batch)
    assert list(g_terms) == ["adversarial", "class"]
    (slope,) = torch.autograd.grad(g_terms["class"], gan.generator.project.weight)
    assert slope.abs().sum() > 0
    bench.step(2)


def test_penalty_sees_the_logit_without_class_logits():
    bench = Bench("loss=wgan_gp", "loss/auxiliary=class_head", model=(*DCGAN, "model.discriminator.norm=none"))
    gan = bench.gan
    real = next(gan.stream)
    images = (real.images, real.labels, -real.images, real.labels)
    torch.manual_seed(3)
    terms = gan.objective.terms("discriminator", gan.networks, Batch(*images))
    torch.manual_seed(3)
    alone = gan.objective.penalties["gradient_penalty"](lambda x, y: gan.discriminator(x)[0], *images)
    assert torch.allclose(terms["gradient_penalty"], alone)


def test_a_classifier_learns_first_and_from_reals_alone():
    bench = Bench("loss=hinge", "loss/auxiliary=classifier", *SMALL, model=DCGAN)
    gan = bench.gan
    assert len(bench.optimizers) == 3
    before = deepcopy(gan.networks["classifier"])
    reference = deepcopy(gan.networks["classifier"])
    batch = next(deepcopy(gan.stream))
    adam = torch.optim.Adam(reference.parameters(), 2e-4, (0.0, 0.9), fused=True)
    torch.nn.functional.cross_entropy(reference(batch.images), batch.labels).backward()
    adam.step()
    bench.step()
    for ours, expected, old in zip(
        gan.networks["classifier"].parameters(), reference.parameters(), before.parameters(), strict=True
    ):
        assert torch.equal(ours, expected)
        assert not torch.equal(ours, old) or old.numel() == 0
    assert bench.events == ["C", "D", "G"]


def test_the_generators_class_term_flows_through_the_classifier():
    bench = Bench(
        "loss=hinge", "loss/auxiliary=classifier", "loss.auxiliary.classifier.weight=1e6", *SMALL, model=DCGAN
    )
    gan = bench.gan
    bench.step()
    heavy = [p.grad.norm().item() for p in gan.generator.parameters()]
    assert max(heavy) > 1e2
    own = [p.grad.norm().item() for p in gan.networks["classifier"].parameters()]
    assert max(own) < 1e2  # this gradient comes from the classifier's own update alone


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["loss/auxiliary=class_head", "model.discriminator.head=projection"], "class_head"),
        (["model.conditional=true", "model.discriminator.head=classes"], "no term of loss.auxiliary uses"),
        (["loss/auxiliary=classifier", "model.discriminator.head=classes"], "both give class logits"),
        (["loss/auxiliary=classifier", "model.conditional=false"], "model.conditional=true"),
        (["loss/auxiliary=classifier", "optimizer.classifier=null"], "optimizer.classifier is missing"),
    ],
)
def test_halves_are_refused(words, message):
    with pytest.raises(UserError, match=message):
        build_gan(config("data=cifar10", "loss=hinge", "model=dcgan", *words))
