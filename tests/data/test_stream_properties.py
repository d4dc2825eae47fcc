"""Properties of the stream for any seed, size of the set, batch size and position."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganexp.data.images import ImageSet
from ganexp.data.stream import ImageStream


@st.composite
def streams(draw):
    """Draw the arguments of a stream of numbered images: the image set, the batch size, the seed and mirroring."""
    count = draw(st.integers(1, 40))
    images = torch.arange(count, dtype=torch.uint8)[:, None, None, None].repeat(1, 1, 1, 2)
    images[..., 1] += 100  # so that mirroring can be seen
    image_set = ImageSet(images, torch.arange(count), [str(i) for i in range(count)])
    return image_set, draw(st.integers(1, count)), draw(st.integers(0, 2**64)), draw(st.booleans())


@given(streams(), st.integers(0, 3))
def test_each_image_occurs_once_in_an_epoch(drawn, epoch):
    image_set, batch_size, seed, flip = drawn
    batches = len(image_set) // batch_size
    stream = ImageStream(image_set, batch_size, seed, flip, position=epoch * batches)
    labels = torch.cat([next(stream).labels for _ in range(batches)])
    assert len(labels.unique()) == len(labels) == batches * batch_size
    assert stream.epochs == epoch + 1


@given(streams(), st.integers(0, 60))
def test_resumed_stream_equals_one_that_ran_to_there(drawn, position):
    image_set, *settings_ = drawn
    running, resumed = ImageStream(image_set, *settings_), ImageStream(image_set, *settings_, position=position)
    for _ in range(position):
        next(running)
    for _ in range(3):
        ours, theirs = next(running), next(resumed)
        assert torch.equal(ours.images, theirs.images)
        assert torch.equal(ours.labels, theirs.labels)


@settings(max_examples=20)
@given(streams(), st.integers(0, 60))
def test_images_read_one_by_one_are_those_from_memory(drawn, position):
    image_set, *settings_ = drawn
    lazy = ImageSet(list(image_set.images), image_set.labels, image_set.classes)
    ours = ImageStream(image_set, *settings_, position=position)
    theirs = ImageStream(lazy, *settings_, resident=False, workers=0, position=position)
    for _ in range(3):
        assert torch.equal(next(ours).images, next(theirs).images)


@given(streams())
def test_image_and_label_stay_together(drawn):
    image_set, *settings_ = drawn
    images, labels = next(ImageStream(image_set, *settings_))
    darker = ((images + 1) * 127.5).amin((1, 2, 3)).round()  # the values to which 100 is not added
    assert torch.equal(darker.long(), labels)
