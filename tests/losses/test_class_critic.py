"""The class term of the Wasserstein type: closed forms, the penalty of this term, and training with it."""

import pytest
import torch
from helpers.bench import Bench
from helpers.config import config

from ganexp.build import build_gan
from ganexp.errors import UserError
from ganexp.losses.class_critic import ClassCritic
from ganexp.losses.objective import Batch

SCORES = torch.tensor([[3.0, 0.0, 1.0], [0.0, 2.0, 2.0]])
LABELS = torch.tensor([0, 1])


def test_terms_are_margins_and_own_scores():
    batch = Batch(None, LABELS, None, 1 - LABELS, class_real=SCORES, class_fake=SCORES)
    critic = ClassCritic(weight=2.0, penalty=0.0)
    (real,) = critic.discriminator({}, batch).values()
    assert real.item() == pytest.approx(-((3 - 0.5) + (2 - 1)) / 2)
    (fake,) = critic.generator({}, batch).values()
    assert fake.item() == pytest.approx(-2 * (0 + 0) / 2)
    batch.fake_labels = LABELS
    assert critic.generator({}, batch)["class_critic"].item() == pytest.approx(-2 * (3 + 2) / 2)


def test_penalty_of_linear_scores_is_that_of_their_slopes():
    # The derivative of each class's score with respect to one pixel; the gradient's norm over 4 pixels is twice this.
    slopes = torch.tensor([1.0, 3.0, 0.5])

    def discriminator(images, labels):
        total = images.sum((1, 2, 3))
        return total, total[:, None] * slopes

    real = torch.randn(2, 1, 2, 2)
    batch = Batch(real, LABELS, real, LABELS, class_real=SCORES, class_fake=SCORES)
    terms = ClassCritic(weight=1.0, penalty=10.0).discriminator({"discriminator": discriminator}, batch)
    assert terms["class_penalty"].item() == pytest.approx(10 * ((2 - 1) ** 2 + (6 - 1) ** 2) / 2)


@pytest.mark.parametrize(("scores", "labels"), [(None, LABELS), (SCORES, None)])
def test_missing_scores_or_labels_are_named(scores, labels):
    with pytest.raises(ValueError, match="class_logits=None" if scores is None else "labels=None"):
        ClassCritic(1.0).generator({}, Batch(None, None, None, labels, class_fake=scores))


def test_class_critic_trains_beside_any_loss():
    model = ("model=dcgan", "model.generator.width=4", "model.discriminator.width=4")
    bench = Bench("loss=wgan_gp", "loss/auxiliary=class_critic", model=model)
    bench.step(2)


def test_class_critic_refuses_batch_norm_unless_without_penalty():
    overrides = ("data=cifar10", "loss=hinge", "loss/auxiliary=class_critic", "model=dcgan", "model.generator.width=4")
    batch_norm = ("model.discriminator.width=4", "model.discriminator.norm=batch")
    with pytest.raises(UserError, match=r"loss\.auxiliary\.class_critic: needs a separate gradient for each sample"):
        build_gan(config(*overrides, *batch_norm))
    build_gan(config(*overrides, *batch_norm, "loss.auxiliary.class_critic.penalty=0"))
