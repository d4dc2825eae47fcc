"""Images decoded from files: pixels, formats and broken files."""

import hashlib
import logging
import zipfile

import pytest
import torch
from helpers.images import photo, write_files
from PIL import Image
from torchvision.io import decode_image

from ganexp.data import files, sets
from ganexp.data.decoding import Decoding
from ganexp.data.files import FileImages
from ganexp.data.listing import list_images
from ganexp.errors import UserError


def write_zip(path, folder):
    """Write the files of `folder` into a zip, the first one uncompressed."""
    with zipfile.ZipFile(path, "w") as archive:
        for i, file in enumerate(sorted(file for file in folder.rglob("*") if file.is_file())):
            kind = zipfile.ZIP_DEFLATED if i else zipfile.ZIP_STORED
            archive.write(file, file.relative_to(folder), compress_type=kind)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "tiff", "ppm", "jpg", "jpeg", "gif", "webp"])
def test_every_listed_format_is_decoded(tmp_path, suffix):
    photo(tmp_path / f"image.{suffix}", (8, 8), colour=(255, 0, 0))
    files = FileImages(list_images(str(tmp_path)), 8, Decoding(3), "exact")
    assert (files[0].float().mean((1, 2)) - torch.tensor([255.0, 0.0, 0.0])).abs().max() < 2


def test_pixels_equal_an_independent_decoder(tmp_path):
    photo(tmp_path / "image.png", (8, 8))
    files = FileImages(list_images(str(tmp_path)), 8, Decoding(3), "exact")
    assert torch.equal(files[0], decode_image(str(tmp_path / "image.png")))


@pytest.mark.parametrize("decoder", ["PCX", "TGA", "ICO", "EPS"])
def test_other_decoders_are_not_run(tmp_path, decoder):
    photo(tmp_path / "good.png", (16, 16))
    image = Image.new("RGB", (16, 16), (1, 2, 3))
    image.save(tmp_path / "disguised.png", format=decoder)
    with Image.open(tmp_path / "disguised.png") as opened:
        assert opened.format == decoder  # Pillow chooses a decoder by the content, whatever the suffix
    with pytest.raises(UserError, match=r"Broken image disguised.png: cannot identify"):
        sets.folder("", "train", 16, 3, path=str(tmp_path), on_error="raise")


def test_set_that_memory_cannot_hold_is_named(tmp_path, monkeypatch):
    photo(tmp_path / "0.png", (8, 8))
    assert sets.folder("", "train", 8, 3, path=str(tmp_path), in_memory="auto").notes == []
    monkeypatch.setattr(files, "fits", lambda *sizes: False)
    (note,) = sets.folder("", "train", 8, 3, path=str(tmp_path), in_memory="auto").notes
    assert note.startswith("decoded again in every epoch")


@pytest.mark.parametrize("in_memory", [True, False])
def test_broken_images_are_reported_and_left_out(tmp_path, caplog, in_memory):
    for name in ("a", "b"):
        for i in range(3):
            photo(tmp_path / name / f"{i}.png", (40, 40))
    whole = (tmp_path / "a" / "1.png").read_bytes()
    (tmp_path / "a" / "1.png").write_bytes(whole[: len(whole) // 2])  # truncated
    (tmp_path / "b" / "2.png").write_text("not an image")
    with caplog.at_level(logging.WARNING):
        loaded = sets.folder("", "train", 8, 3, path=str(tmp_path), in_memory=in_memory)
    assert isinstance(loaded.images, torch.Tensor) == in_memory
    assert loaded.labels.tolist() == [0, 0, 1, 1]
    assert loaded.batch(torch.arange(4)).shape == (4, 3, 8, 8)
    assert "a/1.png" in caplog.text
    assert "b/2.png: cannot identify the file as an image\n" in caplog.text
    assert "left out as broken: 2 of 6 images" in caplog.text
    with pytest.raises(UserError, match=r"Broken image a/1.png"):
        sets.folder("", "train", 8, 3, path=str(tmp_path), on_error="raise")


@pytest.mark.parametrize("in_memory", [True, False])
def test_fingerprint_needs_no_second_decoding(tmp_path, monkeypatch, in_memory):
    """The hash covers the pixels of all readable images, in chunks of 1,024 images, and then the labels."""
    files_of_set = {f"{number % 2}/{number:04}.png": number % 256 for number in range(1100)}
    write_files(tmp_path, files_of_set | {"0/0500.png": b"broken", "1/1099.png": b"broken"})
    loaded = sets.folder("", "train", 4, 1, path=str(tmp_path), in_memory=in_memory)
    pixels, digest = loaded.batch(torch.arange(1098)), hashlib.sha256()
    for chunk in pixels.split(1024):
        digest.update(repr(tuple(chunk.shape)).encode() + chunk.numpy().tobytes())
    digest.update(loaded.labels.numpy().tobytes())
    monkeypatch.setattr(FileImages, "read", lambda *arguments: pytest.fail("an image is decoded again"))
    assert loaded.fingerprint() == digest.hexdigest()


def test_decoding_keeps_few_images_ahead(tmp_path, monkeypatch):
    write_files(tmp_path, {f"{number}.png": number for number in range(40)})
    monkeypatch.setattr(files, "MOST_AHEAD", 8)
    read, ahead, original = [], [], FileImages.read
    monkeypatch.setattr(FileImages, "read", lambda self, index: read.append(index) or original(self, index))
    monkeypatch.setattr(files.PixelDigest, "add", lambda self, image: ahead.append(len(read) - len(ahead)))
    assert len(sets.folder("", "train", 4, 1, path=str(tmp_path), in_memory=False)) == 40
    assert max(ahead) <= 8


def test_broken_zip_members_are_left_out(tmp_path, caplog):
    for i in range(3):
        photo(tmp_path / "images" / f"{i}.png", (40, 40))
    write_zip(tmp_path / "set.zip", tmp_path / "images")
    content = (tmp_path / "images" / "0.png").read_bytes()
    damaged = bytes(len(content) - 60)
    whole = (tmp_path / "set.zip").read_bytes()
    (tmp_path / "set.zip").write_bytes(whole.replace(content[30:-30], damaged))  # the member's checksum is now wrong
    loaded = sets.folder("", "train", 40, 3, path=str(tmp_path / "set.zip"))
    assert torch.equal(loaded.images[0], decode_image(str(tmp_path / "images" / "1.png")))
    assert len(loaded) == 2
    assert "0.png: it cannot be read from the zip (Bad CRC-32" in caplog.text


def test_set_without_readable_image_is_rejected(tmp_path):
    for i in range(2):
        (tmp_path / f"{i}.png").write_text("not an image")
    with pytest.raises(UserError, match=r"None of the images of \S+ can be read"):
        sets.folder("", "train", 8, 3, path=str(tmp_path))


def test_images_of_another_size_are_rejected_if_exact(tmp_path):
    photo(tmp_path / "1.png", (9, 8))
    with pytest.raises(UserError, match=r"1\.png: .*9x8 pixels.*\n.*data\.source\.fit=crop .*resize"):
        sets.folder("", "train", 8, 3, path=str(tmp_path), fit="exact")
