"""Each case has the length, batch size, evaluation interval and kept checkpoints that its article states."""

from fractions import Fraction

import pytest
from helpers.config import config

from ganexp.config.instantiate import instantiate
from ganexp.training.length import epochs_of, known_images

# For each case: the number of epochs, the batch size, the number of epochs between two evaluations (None if the article
# does not state it), and the epochs whose checkpoints are kept.
ARTICLES = {
    **{f"sagan/cifar10_{case}": (100, 256, 5, []) for case in (0, 1, 2, 6)},
    **{f"sagan/cifar10_{case}": (200, 256, 5, []) for case in (3, 4, 5, 7)},
    "sagan/lr_scaling_0": (100, 64, 5, []),
    "sagan/lr_scaling_1": (100, 128, 5, []),
    "sagan/lr_scaling_2": (100, 64, 5, []),
    "sagan/lr_scaling_3": (100, 128, 5, []),
    **{f"sagan/stl10_{case}": (400, 256, 5, []) for case in (0, 1, 2)},
    "sagan/anime_face": (250, 128, 10, [30, 50, 150, 250]),
    "sagan/flowers102": (400, 128, 10, [50, 100, 400]),
    "textbook/gan": (500, 300, 10, []),
    "textbook/cgan_original": (500, 300, None, []),
    "g_loss/cifar10_saturating": (300, 64, None, []),
    "g_loss/stl10_non_saturating": (300, 64, None, []),
    "sngan_koshian2/cifar10_cnn_1": (321, 64, 5, []),
    "sngan_koshian2/stl10_cnn_0": (1301, 64, None, []),
    "sngan_koshian2/anime_face_0": (1101, 64, None, []),
    "sngan_koshian2/flowers102_0": (1901, 64, None, []),
}
AS_PUBLISHED = {
    "textbook/wgan_gp": (300, 300, 10, []),
    "textbook/cgan": (300, 300, 10, []),
    "sagan/cifar10_4": (200, 256, 5, []),
}
# In the article on DCGAN on MNIST, an epoch is 2,000 updates, which use 128,000 images; the dataset has 60,000 images.
DCGAN_EPOCHS = pytest.approx(30 * 128 / 60, rel=0.01)


def schedule_of(*overrides):
    """Compose the config of a case, and return its schedule in the form of an entry of ARTICLES."""
    cfg = config(*overrides)
    schedule, images = cfg.schedule, known_images(cfg)
    drawn = instantiate(schedule.updates, "schedule.updates").batches_per_step
    per_evaluation = schedule.evaluate_every * (1 if schedule.evaluate_by == "d_steps" else drawn)
    cadence = float(Fraction(per_evaluation) / (images // schedule.batch_size))
    return epochs_of(cfg, images), schedule.batch_size, cadence, list(schedule.keep_at)


@pytest.mark.parametrize("name", ARTICLES)
def test_case_has_the_schedule_of_its_article(name):
    epochs, batch_size, cadence, pictured = ARTICLES[name]
    ours = schedule_of(f"experiment={name}")
    assert ours[1] == batch_size
    # koshian2's SNGAN code does not drop incomplete batches, and rounds up the number of generator updates per epoch
    assert ours[0] == pytest.approx(epochs, rel=0.025 if name.startswith("sngan_koshian2") else 0.005)
    assert cadence is None or ours[2] == pytest.approx(cadence, rel=0.01)
    assert ours[3] == pictured


@pytest.mark.parametrize("name", AS_PUBLISHED)
def test_case_as_published_has_the_schedule_of_its_article(name):
    epochs, batch_size, cadence, pictured = AS_PUBLISHED[name]
    ours = schedule_of(f"experiment={name}", f"as_published={name.split('/')[0]}")
    assert ours == (epochs, batch_size, cadence, pictured)


@pytest.mark.parametrize("name", ["dcgan/mnist_saturating", "dcgan/mnist_non_saturating"])
def test_dcgan_case_sees_as_many_images_as_in_its_article(name):
    ours = schedule_of(f"experiment={name}", "as_published=dcgan")
    assert ours[0] == DCGAN_EPOCHS
    assert ours[2] == pytest.approx(2000 * 64 / 60_000, rel=0.01)
