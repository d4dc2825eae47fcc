"""What `StreamData` gives to Lightning: endless batches, indices of samples, and the position of the stream."""

from itertools import islice

import pytest
import torch
from torch import distributed

from ganexp.data import sets
from ganexp.data.datamodule import StreamData
from ganexp.data.stream import ImageStream


@pytest.fixture
def stream():
    return ImageStream(sets.fake("", "train", 8, 1, size=20), batch_size=4, seed=0)


def test_training_loader_has_no_end(stream):
    assert list(islice(StreamData(stream).train_dataloader(), 1000)) == [0] * 1000


def test_validation_loader_yields_every_index_in_order(stream):
    batches = list(StreamData(stream, validation_indices=12, validation_batch_size=5).val_dataloader())
    assert [batch.tolist() for batch in batches] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11]]
    assert all(batch.dtype == torch.int64 for batch in batches)


@pytest.mark.parametrize("processes", [2, 3, 4, 8])
@pytest.mark.parametrize("keeps_batches", [False, True])
def test_processes_share_the_indices(stream, monkeypatch, processes, keeps_batches):
    monkeypatch.setattr(distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed, "get_world_size", lambda: processes)
    for count in range(processes, 30):
        data, shares = StreamData(stream, count, 5, keeps_batches), []
        for rank in range(processes):
            monkeypatch.setattr(distributed, "get_rank", lambda rank=rank: rank)
            shares.append([batch.tolist() for batch in data.val_dataloader()])
        batches = [batch for share in shares for batch in share if batch]
        assert sorted(index for batch in batches for index in batch) == list(range(count))
        if keeps_batches:
            assert sorted(batches) == [list(range(start, min(start + 5, count))) for start in range(0, count, 5)]
        else:
            assert all(batch for share in shares for batch in share)  # a process without samples would wait for ever
            sizes = [sum(map(len, share)) for share in shares]
            assert max(sizes) - min(sizes) <= 5


def test_validation_loader_has_a_batch_without_samples(stream):
    assert [batch.tolist() for batch in StreamData(stream).val_dataloader()] == [[0]]


def test_validation_loader_keeps_global_random_state(stream):
    before = torch.get_rng_state()
    list(StreamData(stream, validation_indices=12).val_dataloader())
    assert torch.equal(torch.get_rng_state(), before)


def test_state_is_the_position_of_the_stream(stream):
    data = StreamData(stream)
    batches = [next(stream) for _ in range(8)]
    assert data.state_dict() == {"position": 8}
    data.load_state_dict({"position": 2})
    assert torch.equal(next(stream).images, batches[2].images)
