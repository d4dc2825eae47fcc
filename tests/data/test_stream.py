"""The stream: batch k depends only on the seed and k, whether images come from memory or from workers."""

import multiprocessing
import time
from pathlib import Path

import pytest
import torch
from helpers.images import write_files
from helpers.processes import command_line, wait_for_end
from torch.utils.data._utils.worker import ManagerWatchdog

from ganexp.data import sets
from ganexp.data.images import ImageSet
from ganexp.data.stream import ImageStream
from ganexp.errors import UserError


@pytest.fixture
def numbered():
    """Return images whose pixels equal the image's index, plus 100 in the left half so that mirroring can be seen."""
    images = torch.arange(20, dtype=torch.uint8)[:, None, None, None].repeat(1, 1, 2, 4)
    images[..., :2] += 100
    return ImageSet(images, torch.arange(20), [str(i) for i in range(20)])


@pytest.fixture
def lazy(numbered):
    """Return the images of `numbered` as a set that is read image by image."""
    return ImageSet(list(numbered.images), numbered.labels, numbered.classes)


def test_epoch_has_every_image_once_without_incomplete_batch(numbered):
    stream = ImageStream(numbered, batch_size=6, seed=0)
    labels = torch.cat([next(stream).labels for _ in range(3)])
    assert labels.unique().numel() == 18
    next(stream)
    assert stream.position == 4


def test_stream_is_its_own_iterator(numbered):
    stream = ImageStream(numbered, batch_size=6, seed=0)
    assert iter(stream) is stream
    for _, batch in zip(range(5), stream, strict=False):
        assert batch.images.shape == (6, 1, 2, 4)


@pytest.mark.parametrize(("pixel_range", "scale", "shift"), [("symmetric", 127.5, 1), ("unit", 255, 0)])
def test_pixels_are_scaled_and_labels_belong_to_images(numbered, pixel_range, scale, shift):
    batch = next(ImageStream(numbered, batch_size=20, seed=0, pixel_range=pixel_range))
    assert torch.allclose(batch.images[:, 0, 0, 3], batch.labels / scale - shift)
    assert batch.images.dtype == torch.float32


def test_position_is_the_whole_state(numbered):
    whole = ImageStream(numbered, 6, seed=3, flip=True)
    batches = [next(whole) for _ in range(10)]
    for start in (0, 2, 3, 7):
        resumed = ImageStream(numbered, 6, seed=3, flip=True, position=start)
        for k in range(start, 10):
            again = next(resumed)
            assert torch.equal(again.images, batches[k].images)
            assert torch.equal(again.labels, batches[k].labels)


def test_seeds_and_epochs_have_different_orders(numbered):
    def order(seed, epoch):
        return next(ImageStream(numbered, 20, seed, position=epoch)).labels.tolist()

    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}) == 4


def test_flip_mirrors_about_half(numbered):
    stream, mirrored = ImageStream(numbered, 20, seed=0, flip=True), []
    for _ in range(50):
        images = next(stream).images
        mirrored.append(images[:, 0, 0, 0] < images[:, 0, 0, 3])
    assert 0.42 < torch.cat(mirrored).float().mean() < 0.58
    plain = next(ImageStream(numbered, 20, seed=0)).images
    assert (plain[:, 0, 0, 0] > plain[:, 0, 0, 3]).all()


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_give_the_batches_of_memory(numbered, lazy, workers):
    from_workers = ImageStream(lazy, 6, seed=1, flip=True, workers=workers, position=2)
    from_memory = ImageStream(numbered, 6, seed=1, flip=True, position=2)
    for _ in range(5):
        a, b = next(from_workers), next(from_memory)
        assert torch.equal(a.images, b.images)
        assert torch.equal(a.labels, b.labels)
    from_workers.close()


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("part", [False, True])
@pytest.mark.parametrize("content", [None, b"not an image"])
def test_image_that_is_lost_during_training_is_named(tmp_path, workers, part, content):
    write_files(tmp_path, {f"{number}.png": number for number in range(20)})
    image_set = sets.folder("", "train", 4, 1, path=str(tmp_path), in_memory=False)
    stream = ImageStream(image_set.random_part(19) if part else image_set, 4, seed=0, workers=workers)
    next(stream)
    for file in tmp_path.iterdir():
        file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(UserError) as refused:
        [next(stream) for _ in range(30)]  # workers have prepared the first batches ahead of time
    stream.close()
    reason = "No such file or directory" if content is None else "cannot identify the file as an image"
    first, fix = str(refused.value).splitlines()
    path, found, said = first.partition(".png: ")
    assert Path(path).parent == tmp_path
    assert found
    assert said == f"this image could be read at the start, and cannot be read now ({reason})."
    assert "ganexp resume" in fix


def test_killed_process_leaves_no_workers(lazy, monkeypatch):
    """Workers end with the training process, even if torch's check still finds a live parent, such as a fork server."""
    monkeypatch.setattr(ManagerWatchdog, "is_alive", lambda _: True)
    fork = multiprocessing.get_context("fork")
    started = fork.SimpleQueue()

    def train():
        next(ImageStream(lazy, 6, seed=1, workers=2))
        started.put([child.pid for child in multiprocessing.active_children()])
        time.sleep(60)

    process = fork.Process(target=train)
    process.start()
    workers = started.get()
    assert len(workers) == 2
    assert all(command_line(worker) for worker in workers)
    process.kill()
    wait_for_end(workers)
    process.join()


def test_closed_stream_ends_its_workers_and_can_go_on(numbered, lazy):
    before = set(multiprocessing.active_children())
    streams = [ImageStream(lazy, 6, seed=1, workers=2), ImageStream(numbered, 6, seed=1)]
    assert torch.equal(*(next(stream).images for stream in streams))
    assert len(set(multiprocessing.active_children()) - before) == 2
    streams[0].close()
    assert set(multiprocessing.active_children()) == before
    assert torch.equal(*(next(stream).images for stream in streams))
    streams[0].close()


@pytest.mark.parametrize("workers", [None, 0])
def test_processes_share_each_batch(numbered, lazy, workers):
    whole = ImageStream(numbered, 6, seed=1, flip=True, position=2)
    images = {"image_set": numbered} if workers is None else {"image_set": lazy, "workers": workers}
    shares = [ImageStream(**images, batch_size=6, seed=1, flip=True, position=2, rank=r, processes=3) for r in range(3)]
    for _ in range(5):
        batch, parts = next(whole), [next(share) for share in shares]
        assert torch.equal(torch.cat([part.images for part in parts]), batch.images)
        assert torch.equal(torch.cat([part.labels for part in parts]), batch.labels)


def test_changed_position_discards_prepared_batches(numbered, lazy):
    stream = ImageStream(lazy, 6, seed=1, workers=0)
    next(stream)
    stream.position = 4
    expected = ImageStream(numbered, 6, seed=1, position=4)
    for _ in range(3):
        a, b = next(stream), next(expected)
        assert torch.equal(a.images, b.images)
        assert torch.equal(a.labels, b.labels)


@pytest.mark.parametrize("in_memory", [True, False])
def test_first_batch_can_be_repeated(numbered, lazy, in_memory):
    image_set = numbered if in_memory else lazy
    first = next(ImageStream(numbered, 6, seed=1, flip=True))
    repeating = ImageStream(image_set, 6, seed=1, flip=True, workers=0, repeat_first_batch=True)
    resumed = ImageStream(image_set, 6, seed=1, flip=True, workers=0, position=5, repeat_first_batch=True)
    for stream in (repeating, repeating, repeating, repeating, resumed, resumed):
        batch = next(stream)
        assert torch.equal(batch.images, first.images)
        assert torch.equal(batch.labels, first.labels)
    assert (repeating.position, resumed.position) == (4, 7)


def test_stream_keeps_global_random_state(numbered):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    next(ImageStream(numbered, 6, seed=1, flip=True))
    next(ImageStream(numbered, 6, seed=1, resident=False, workers=0))
    sets.fake("", "train", 8, 1)
    assert torch.equal(torch.get_rng_state(), before)
