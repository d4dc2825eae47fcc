"""Image sets in memory: size, channels and fingerprint."""

import pickle

import numpy as np
import pytest
import torch
from helpers.images import photo
from PIL import Image

from ganexp.data import sets
from ganexp.data.images import ImageSet, check_image_set, fit_to, fits
from ganexp.errors import UserError


def test_fit_crops_or_stretches():
    tall = torch.zeros(1, 6, 2, dtype=torch.uint8)
    tall[:, 2:4] = 200
    assert (fit_to(tall, 2, 1, "crop") == 200).all()
    assert not (fit_to(tall, 2, 1, "stretch") == 200).all()
    assert fit_to(tall, 4, 3).shape == (3, 4, 4)


def test_fit_exact_rejects_other_sizes():
    with pytest.raises(UserError, match=r"^this image has 2x6 pixels, and must have 6x6$"):
        fit_to(torch.zeros(1, 6, 2, dtype=torch.uint8), 6, 1, "exact")
    square = torch.arange(36, dtype=torch.uint8).view(1, 6, 6)
    assert torch.equal(fit_to(square, 6, 1, "exact"), square)


def test_channels_are_converted():
    colour = torch.tensor([255, 0, 0], dtype=torch.uint8).view(3, 1, 1).repeat(1, 2, 2)
    assert (fit_to(colour, 2, 1) == 76).all()  # 0.299 · 255, because the weight of red is 0.299
    grey = torch.full((1, 2, 2), 7, dtype=torch.uint8)
    assert torch.equal(fit_to(grey, 2, 3), grey.repeat(3, 1, 1))


def test_colours_become_the_grey_levels_of_pillow():
    level = torch.arange(0, 256, 3, dtype=torch.uint8)  # 0, 3, …, 255
    colours = torch.cartesian_prod(level, level, level).view(-1, len(level), 3)  # (86², 86, 3)
    expected = torch.from_numpy(np.array(Image.fromarray(colours.numpy()).convert("L")))
    square = colours.view(86, 86, 86, 3).permute(0, 3, 1, 2)  # 86 images (3, 86, 86)
    assert torch.equal(fit_to(square, 86, 1), expected.view(86, 1, 86, 86))


def test_fits_compares_with_memory():
    assert fits(1000, 32, 3, torch.device("cpu"))
    assert not fits(10**9, 1024, 3, torch.device("cpu"))


PIXELS, LABELS = torch.zeros(4, 1, 2, 2, dtype=torch.uint8), torch.tensor([0, 1, 1, 0])


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ((PIXELS, LABELS), r"must return an ImageSet, .* returned a tuple"),
        (ImageSet(PIXELS / 255, LABELS, ["a", "b"]), r"uint8 \(1, 2, 2\), .* is float32 \(1, 2, 2\)"),
        (ImageSet(PIXELS.permute(0, 2, 3, 1), None, []), r"uint8 \(1, 2, 2\), .* is uint8 \(2, 2, 1\)"),
        (ImageSet(PIXELS[:, 0], None, []), r"is uint8 \(2, 2\)"),
        (ImageSet([image.repeat(1, 2, 2) for image in PIXELS], None, []), r"is uint8 \(1, 4, 4\)"),
        (ImageSet(PIXELS.numpy(), None, []), r"is a ndarray"),
        (ImageSet(PIXELS, LABELS + 1, ["a", "b"]), r"less than 2, but the labels reach from 1 to 2"),
        (ImageSet(PIXELS, LABELS - 1, ["a", "b"]), r"less than 2, but the labels reach from -1 to 0"),
        (ImageSet(PIXELS, LABELS, []), r"names of 0 classes"),
        (ImageSet(PIXELS, LABELS.float(), ["a", "b"]), r"int64 \(4,\), but they are float32 \(4,\)"),
        (ImageSet(PIXELS, LABELS[:3], ["a", "b"]), r"int64 \(4,\), but they are int64 \(3,\)"),
        (ImageSet(PIXELS, LABELS.tolist(), ["a", "b"]), r"int64 \(4,\), but they are a list"),
    ],
)
def test_wrong_image_set_is_refused(found, message):
    with pytest.raises(UserError, match=f"^data.source: .*{message}"):
        check_image_set(found, 2, 1)


@pytest.mark.parametrize(
    "found", [None, ImageSet(PIXELS, LABELS, ["a", "b"]), ImageSet(list(PIXELS), None, []), ImageSet([], None, [])]
)
def test_right_image_set_is_returned(found):
    assert check_image_set(found, 2, 1) is found


def test_fingerprint_depends_on_pixels_and_labels():
    images = torch.zeros(4, 1, 2, 2, dtype=torch.uint8)
    changed = images.clone()
    changed[3, 0, 1, 1] = 1
    prints = {ImageSet(i, labels, []).fingerprint() for i in (images, changed) for labels in (None, torch.arange(4))}
    assert len(prints) == 4
    assert ImageSet(images.clone(), None, []).fingerprint() in prints
    one_by_one = ImageSet(list(images), None, [])
    assert one_by_one.fingerprint() == ImageSet(images, None, []).fingerprint()


def labelled(labels, classes):
    return ImageSet(torch.zeros(len(labels), 1, 2, 2, dtype=torch.uint8), torch.tensor(labels), classes)


def test_class_counts_include_classes_without_images():
    assert labelled([2, 0, 2], ["a", "b", "c"]).class_counts == [1, 0, 2]
    assert ImageSet(torch.zeros(3, 1, 2, 2), None, []).class_counts == []


def test_matched_labels_mean_the_given_classes():
    image_set = labelled([0, 1, 1], ["b", "c"])
    matched = image_set.match_classes(["c", "a", "b"])
    assert matched.labels.tolist() == [2, 0, 0]
    assert matched.classes == ["c", "a", "b"]
    assert matched.images is image_set.images
    assert image_set.labels.tolist() == [0, 1, 1]
    assert image_set.match_classes(["b", "c"]) is image_set
    assert matched.fingerprint() != image_set.fingerprint() != labelled([0, 0, 1], ["b", "c"]).fingerprint()


def test_unknown_class_is_named_with_the_known_ones():
    with pytest.raises(UserError, match=r"the class c is not among the classes a, b\."):
        labelled([0, 1], ["b", "c"]).match_classes(["a", "b"])
    many = [str(number) for number in range(100)]
    with pytest.raises(UserError, match=r"the classes x, y are not among the classes 0, 1, .*, 18, …, 99\."):
        labelled([0, 1], ["x", "y"]).match_classes(many)


def test_ambiguous_case_is_refused():
    with pytest.raises(UserError, match="the class CAT is not among the classes cat, Cat"):
        labelled([0], ["CAT"]).match_classes(["cat", "Cat"])
    assert labelled([0], ["Cat"]).match_classes(["cat", "Cat"]).labels.tolist() == [1]


def test_accents_match_however_they_are_written():
    assert labelled([0], ["caf\u00e9"]).match_classes(["a", "cafe\u0301"]).labels.tolist() == [1]


@pytest.mark.parametrize("kind", [list, torch.stack])
def test_random_part_is_nested_and_keeps_labels(kind):
    images = kind([torch.full((1, 2, 2), number, dtype=torch.uint8) for number in range(100)])
    whole = ImageSet(images, torch.arange(100), [str(number) for number in range(100)])
    chosen = {}
    for count in (10, 30, 100):
        part = whole.random_part(count)
        assert len(part) == count
        assert part.classes == whole.classes
        assert torch.equal(part.batch(torch.arange(count))[:, 0, 0, 0], part.labels)
        chosen[count] = part.labels.tolist()
    assert chosen[30][:10] == chosen[10]
    assert chosen[10] != list(range(10))
    assert sorted(chosen[100]) == list(range(100))


def test_fingerprint_is_computed_once():
    class Counted(list):
        reads = 0

        def __getitem__(self, index):
            self.reads += 1
            return super().__getitem__(index)

    images = Counted(torch.zeros(3, 1, 2, 2, dtype=torch.uint8))
    image_set = ImageSet(images, None, [])
    assert image_set.fingerprint() == image_set.fingerprint()
    assert images.reads == 3


def test_set_read_from_files_is_pickled_without_pixels(tmp_path):
    for number in range(20):
        photo(tmp_path / f"{number}.png", (64, 64))
    image_set = sets.folder("", "train", 64, 3, path=str(tmp_path), in_memory=False)
    image_set.fingerprint()
    content = pickle.dumps(image_set)
    assert len(content) < 5000
    assert pickle.loads(content).fingerprint() == image_set.fingerprint()
