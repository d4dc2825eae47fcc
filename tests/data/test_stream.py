"""The stream: pure in (seed, k), resumable, the same from memory and from workers."""

import pytest
import torch

from ganexp.data import sets
from ganexp.data.images import ImageSet
from ganexp.data.stream import ImageStream


@pytest.fixture
def numbered():
    """Image i is filled with i, left half brighter by 100, so that it tells its number and whether it is mirrored."""
    images = torch.arange(20, dtype=torch.uint8)[:, None, None, None].repeat(1, 1, 2, 4)
    images[..., :2] += 100
    return ImageSet(images, torch.arange(20), [str(i) for i in range(20)])


def test_every_image_once_an_epoch_and_the_rest_left_out(numbered):
    stream = ImageStream(numbered, batch_size=6, seed=0)
    labels = torch.cat([stream.next().labels for _ in range(3)])
    assert labels.unique().numel() == 18
    stream.next()
    assert stream.position == 4


def test_scaled_to_symmetric_range_with_the_right_labels(numbered):
    batch = ImageStream(numbered, batch_size=20, seed=0).next()
    assert torch.allclose(batch.images[:, 0, 0, 3], batch.labels / 127.5 - 1)


def test_position_is_the_whole_state(numbered):
    whole = ImageStream(numbered, 6, seed=3, flip=True)
    batches = [whole.next() for _ in range(10)]
    for start in (0, 2, 3, 7):
        resumed = ImageStream(numbered, 6, seed=3, flip=True, position=start)
        for k in range(start, 10):
            again = resumed.next()
            assert torch.equal(again.images, batches[k].images)
            assert torch.equal(again.labels, batches[k].labels)


def test_seeds_and_epochs_differ(numbered):
    def order(seed, epoch):
        return ImageStream(numbered, 20, seed, position=epoch).next().labels.tolist()

    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}) == 4


def test_flip_mirrors_about_half(numbered):
    stream = ImageStream(numbered, 20, seed=0, flip=True)
    mirrored = torch.cat([(b := stream.next()).images[:, 0, 0, 0] < b.images[:, 0, 0, 3] for _ in range(50)])
    assert 0.42 < mirrored.float().mean() < 0.58
    plain = ImageStream(numbered, 20, seed=0).next().images
    assert (plain[:, 0, 0, 0] > plain[:, 0, 0, 3]).all()


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_give_the_batches_that_memory_gives(numbered, workers):
    class Lazy:
        def __len__(self):
            return 20

        def __getitem__(self, i):
            return numbered.images[i]

    lazy = ImageSet(Lazy(), numbered.labels, numbered.classes)
    read = ImageStream(lazy, 6, seed=1, flip=True, workers=workers, position=2)
    held = ImageStream(numbered, 6, seed=1, flip=True, position=2)
    for _ in range(5):
        a, b = read.next(), held.next()
        assert torch.equal(a.images, b.images)
        assert torch.equal(a.labels, b.labels)


def test_the_global_random_state_is_left_alone(numbered):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    ImageStream(numbered, 6, seed=1, flip=True).next()
    ImageStream(numbered, 6, seed=1, resident=False, workers=0).next()
    sets.fake("", "train", 8, 1)
    assert torch.equal(torch.get_rng_state(), before)
