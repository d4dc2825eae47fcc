"""Flipped labels and the replay of old images: what the discriminator sees, penalties, checkpoints."""

import pytest
import torch
from helpers.bench import Bench

from ganexp.losses.adversarial import Hinge
from ganexp.losses.modifiers import FlippedLabels, Replay
from ganexp.losses.objective import Batch, Objective


def test_labels_are_flipped_with_their_probability():
    torch.manual_seed(0)
    d_real, d_fake = torch.ones(10_000), -torch.ones(10_000)
    real, fake = FlippedLabels(0.2).change_outputs(d_real, d_fake)
    assert (real == -1).float().mean().item() == pytest.approx(0.2, abs=0.02)
    assert torch.equal(fake, -real)
    assert torch.equal(FlippedLabels(0.0).change_outputs(d_real, d_fake)[0], d_real)


def test_vectors_of_a_pair_are_flipped_together():
    d_real = torch.arange(40.0).unflatten(0, (20, 2))
    real, fake = FlippedLabels(0.5).change_outputs(d_real, -d_real)
    is_flipped = real[:, 1] < 0
    assert torch.equal(real, torch.where(is_flipped[:, None], -d_real, d_real))
    assert torch.equal(fake, -real)


def numbered(start, count=4):
    """Return images and labels whose values are numbers that count up from `start`."""
    numbers = torch.arange(start, start + count)
    return numbers.float()[:, None, None, None], numbers


def test_replay_shows_a_share_of_old_images_with_their_labels():
    torch.manual_seed(0)
    replay = Replay(size=6, share=0.5)
    for start in (0, 4):  # these 8 images fill the buffer, which takes only 6
        images, labels = replay.change_fakes(*numbered(start))
        assert torch.equal(images.flatten(), numbered(start)[1].float())
    for start in (100, 104, 108):
        before = replay.images.flatten().tolist()
        images, labels = replay.change_fakes(*numbered(start))
        assert torch.equal(images.flatten(), labels.float())
        numbers = labels.tolist()
        assert numbers[:2] == [start + 2, start + 3]
        assert set(numbers[2:]) <= set(before)
        now = replay.images.flatten().tolist()
        assert {start, start + 1} <= set(now)  # these two replace two images of the buffer
        assert len(set(now) & set(before)) == 4
        assert torch.equal(replay.images.flatten(), replay.labels.float())


def test_replay_works_without_labels_and_with_a_small_buffer():
    replay = Replay(size=1, share=1.0)
    for start in (0, 10):
        images, labels = replay.change_fakes(numbered(start)[0], None)
        assert labels is None
    assert images.flatten().tolist() == [11, 12, 13, 0]


def test_loss_sees_old_images_and_penalties_see_new_ones():
    replay, seen = Replay(size=4, share=1.0), []

    def penalty(discriminator, real, real_labels, fake, fake_labels):
        seen.append((fake, fake_labels))
        return torch.zeros(())

    objective = Objective(Hinge(), {"penalty": penalty}, modifiers={"replay": replay})
    networks = {"discriminator": lambda images, labels: images.flatten()}
    real = torch.zeros(4, 1, 1, 1)
    for start in (0, 10):
        fake, labels = numbered(start)
        terms = objective.terms("discriminator", networks, Batch(real, labels, fake, labels))
        assert seen[-1][0] is fake
        assert seen[-1][1] is labels
    assert terms["fake"].item() == pytest.approx(1 + 1.5)  # 1.5 is the mean of the old images, whose values are 0 to 3
    g_terms = objective.terms("generator", networks, Batch(real, labels, fake, labels))
    assert g_terms["adversarial"].item() == pytest.approx(-11.5)


def test_replay_resumes_exactly():
    overrides = ("loss=hinge", "loss/modifier=[replay,flipped_labels]", "loss.modifiers.replay.size=12")
    first, second = Bench(*overrides), Bench(*overrides)
    first.step(3)
    second.gan.load_state_dict(first.gan.state_dict())
    ours, theirs = (bench.gan.objective.modifiers["replay"] for bench in (first, second))
    assert ours.filled == theirs.filled == 12
    fake = torch.randn(8, 1, 8, 8)
    torch.manual_seed(1)
    expected = ours.change_fakes(fake, None)[0]
    torch.manual_seed(1)
    assert torch.equal(theirs.change_fakes(fake, None)[0], expected)
