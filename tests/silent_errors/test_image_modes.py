"""Images of all formats are read as image viewers show them: bit depth, transparency, orientation, inks and frames."""

import io
import json
import logging

import numpy as np
import PIL
import pytest
import torch
from helpers.cli import ganexp
from helpers.images import encoded, grey_png, photo, png_of_16_bits, pnm, tiff, write_files, write_zip, ycck_jpeg
from PIL import ExifTags, Image, ImageOps

from ganexp.data import sets
from ganexp.errors import UserError

RAMP = np.linspace(0, 65535, 64).round().astype(np.uint16).reshape(8, 8, 1)  # its mean is 127.5 in 8 bits
COLOUR = np.concatenate([RAMP, 65535 - RAMP, np.full_like(RAMP, 51 * 257)], 2)  # its means are 127.5, 127.5 and 51
OPAQUE = np.full_like(RAMP, 65535)
LEFT = np.indices((8, 8))[1] < 4  # where half-transparent images are transparent
GREY, OF_COLOUR = (127.5,) * 3, (127.5, 127.5, 51)


def half_transparent(mode, hidden, seen):
    """Return an image whose right half is visible; transparency hides the colour of its left half."""
    pixels = np.where(LEFT[..., None], hidden, seen).astype(np.uint8)
    alpha = np.where(LEFT, 0, 255).astype(np.uint8)
    bands = pixels[..., :1] if mode == "LA" else pixels
    return Image.fromarray(np.dstack([bands, alpha]), mode=None)


def palette(transparent):
    """Return a palette image with red on the left and blue on the right; red can be declared transparent."""
    image = Image.fromarray(np.where(LEFT, 0, 1).astype(np.uint8)).convert("P")
    image.putpalette([255, 0, 0, 0, 0, 255])
    return encoded(image, "PNG", **({"transparency": 0} if transparent else {}))


def frames(kind, **options):
    pages = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "lime")]
    return encoded(pages[0], kind, save_all=True, append_images=pages[1:], **options)


CMYK = Image.new("CMYK", (8, 8), (255, 0, 51, 0))  # red 0, green 255, blue 204
SCALED, FIRST, ON_WHITE = "scaled from more than 8 bits", "first frame", "laid on white"
HALF_RED = Image.fromarray(np.where(LEFT[..., None], (255, 0, 0), (0, 0, 0)).astype(np.uint8))
# file name -> its content, the means of red, green and blue, and a part of the note about the image
MODES = {
    "grey.png": (encoded(Image.fromarray((RAMP[..., 0] // 257).astype(np.uint8)), "PNG"), (127,) * 3, ""),
    "bits.png": (encoded(Image.fromarray(LEFT), "PNG"), GREY, ""),
    "palette.png": (palette(False), (127.5, 0, 127.5), ""),
    "palette_clear.png": (palette(True), (127.5, 127.5, 255), ON_WHITE),
    "colour.png": (encoded(HALF_RED, "PNG"), (127.5, 0, 0), ""),
    "colour.bmp": (encoded(HALF_RED, "BMP"), (127.5, 0, 0), ""),
    "colour.webp": (encoded(HALF_RED, "WEBP", lossless=True), (127.5, 0, 0), ""),
    "grey_alpha_0.png": (encoded(half_transparent("LA", [0] * 3, [101] * 3), "PNG"), (178,) * 3, ON_WHITE),
    "grey_alpha_1.png": (encoded(half_transparent("LA", [200] * 3, [101] * 3), "PNG"), (178,) * 3, ON_WHITE),
    "alpha.png": (encoded(half_transparent("RGBA", [0] * 3, [1, 51, 101]), "PNG"), (128, 153, 178), ON_WHITE),
    "alpha.webp": (
        encoded(half_transparent("RGBA", [9] * 3, [1, 51, 101]), "WEBP", lossless=True),
        (128, 153, 178),
        ON_WHITE,
    ),
    "alpha.tif": (encoded(half_transparent("RGBA", [99] * 3, [1, 51, 101]), "TIFF"), (128, 153, 178), ON_WHITE),
    "opaque.png": (encoded(Image.new("RGBA", (8, 8), (1, 2, 3, 255)), "PNG"), (1, 2, 3), ""),
    "half_seen.png": (encoded(Image.new("RGBA", (8, 8), (0, 0, 0, 51)), "PNG"), (204,) * 3, ON_WHITE),
    "clear_level.png": (encoded(Image.fromarray(LEFT * np.uint8(9)), "PNG", transparency=9), GREY, ON_WHITE),
    "clear_colour.png": (encoded(HALF_RED, "PNG", transparency=(255, 0, 0)), GREY, ON_WHITE),
    "clear.gif": (
        encoded(Image.open(io.BytesIO(palette(False))), "GIF", transparency=0),
        (127.5, 127.5, 255),
        ON_WHITE,
    ),
    "16.png": (png_of_16_bits(RAMP, 0), GREY, SCALED),
    "16_colour.png": (png_of_16_bits(COLOUR, 2), OF_COLOUR, SCALED),
    "16_alpha.png": (png_of_16_bits(np.concatenate([COLOUR, OPAQUE // 2], 2), 6), (191.25, 191.25, 153), ON_WHITE),
    "16_clear_level.png": (png_of_16_bits(OPAQUE // 2, 0, [32767]), (255,) * 3, ON_WHITE),
    "16_clear_colour.png": (png_of_16_bits(COLOUR * 0 + 770, 2, [770] * 3), (255,) * 3, ON_WHITE),
    "16_little.tif": (tiff(RAMP.astype("<u2"), 1), GREY, SCALED),
    "16_big.tif": (tiff(RAMP.astype(">u2"), 1), GREY, SCALED),
    "16_white_is_zero.tif": (tiff(RAMP.astype("<u2") // 2, 0), (191.25,) * 3, SCALED),
    "16_colour.tif": (tiff(COLOUR.astype(">u2"), 2), OF_COLOUR, SCALED),
    "12.tif": (tiff(RAMP.astype("<u2") >> 4, 1, bits=12), GREY, SCALED),
    "16.pgm": (pnm("P5", RAMP[..., 0], 65535), GREY, SCALED),
    "10.pgm": (pnm("P5", RAMP[..., 0] >> 6, 1023), GREY, SCALED),
    "4.pgm": (pnm("P5", LEFT * 15, 15), GREY, ""),
    "16.ppm": (pnm("P6", COLOUR, 65535), OF_COLOUR, ""),
    "bits.pbm": (b"P1\n4 2\n1 1 0 0 1 1 0 0\n", GREY, ""),
    "cmyk.jpg": (encoded(CMYK, "JPEG", quality=100), (0, 255, 204), ""),
    "ycck.jpg": (ycck_jpeg(CMYK), (0, 255, 204), ""),
    "cmyk.tif": (encoded(CMYK, "TIFF"), (0, 255, 204), ""),
    "ycbcr.tif": (encoded(Image.new("YCbCr", (8, 8), (100, 128, 128)), "TIFF"), (100,) * 3, ""),
    "lab.tif": (encoded(Image.new("LAB", (8, 8), (255, 128, 128)), "TIFF"), (255,) * 3, ""),
    "frames.gif": (frames("GIF"), (255, 0, 0), FIRST),
    "frames.png": (frames("PNG"), (255, 0, 0), FIRST),
    "frames.webp": (frames("WEBP", lossless=True), (255, 0, 0), FIRST),
    "pages.tif": (frames("TIFF"), (255, 0, 0), FIRST),
    "pictures.jpg": (frames("MPO"), (254, 0, 0), FIRST),
    "jpeg.png": (encoded(Image.new("RGB", (8, 8), (90, 90, 90)), "JPEG"), (90,) * 3, ""),
    "photo.jfif": (encoded(Image.new("L", (8, 8), 90), "JPEG"), (90,) * 3, ""),
}


def load(path, channels=3, resolution=8, fit="stretch", **settings):
    return sets.folder("", "train", resolution, channels, path=str(path), fit=fit, on_error="raise", **settings)


@pytest.mark.parametrize(("bits", "level"), [(bits, level) for bits in (1, 2, 4) for level in range(2**bits)])
def test_transparent_level_of_few_bits_is_seen(tmp_path, bits, level):
    write_files(tmp_path, {"a.png": grey_png(np.arange(256).reshape(16, 16) % 2**bits, bits, level)})
    red, green, _ = load(tmp_path, resolution=16, background="red").images[0].flatten(1)
    expected = torch.arange(256) % 2**bits * (255 // (2**bits - 1))
    is_clear = torch.arange(256) % 2**bits == level
    assert torch.equal(red, torch.where(is_clear, 255, expected))
    assert torch.equal(green, torch.where(is_clear, 0, expected))


OLD_PILLOW = int(PIL.__version__.split(".")[0]) < 13
OF_NEW_PILLOW = {"ycbcr.tif": pytest.mark.skipif(OLD_PILLOW, reason="Pillow before 13 cannot read its own YCbCr TIFF")}
NAMES = [pytest.param(name, marks=OF_NEW_PILLOW.get(name, ())) for name in MODES]


@pytest.mark.parametrize("as_zip", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_every_mode_has_the_expected_mean(tmp_path, name, as_zip):
    content, expected, said = MODES[name]
    write = write_zip if as_zip else write_files
    image_set = load(write(tmp_path / "images.zip", {name: content}))
    assert image_set.images[0].double().mean((1, 2)).tolist() == pytest.approx(expected, abs=1)
    if said:
        assert any(note.startswith("1 image ") and said in note for note in image_set.notes)
    else:
        assert image_set.notes == []


@pytest.mark.parametrize("name", NAMES)
def test_every_mode_can_be_read_as_grey(tmp_path, name):
    content, (red, green, blue), _ = MODES[name]
    grey = load(write_files(tmp_path, {name: content}), channels=1).images.double().mean().item()
    assert grey == pytest.approx(0.299 * red + 0.587 * green + 0.114 * blue, abs=1.5)


def test_sixteen_bits_keep_their_levels(tmp_path):
    levels = np.tile(np.arange(0, 65536, 4369, dtype=np.uint16), (16, 1))[..., None]
    write_files(tmp_path, {"a.png": png_of_16_bits(levels, 0), "b.tif": tiff(levels.astype(">u2"), 1)})
    for image in load(tmp_path, channels=1, resolution=16).images:
        assert image[0, 0].tolist() == list(range(0, 256, 17))


@pytest.mark.parametrize(
    ("content", "value_range"),
    [
        (tiff((RAMP / 65535).astype("<f4"), 1, 3), (0, 1)),
        (tiff((RAMP / 65535).astype(">f4") * 4 - 2, 1, 3), (-2, 2)),
        (tiff((1 - RAMP / 65535).astype("<f4"), 1, 3), (1, 0)),
        (tiff((RAMP.astype("<i4") - 32768).astype("<i2"), 1, 2), (-32768, 32767)),
        (tiff(RAMP.astype("<u4"), 1), (0, 65535)),
        (b"Pf\n8 8\n-1.0\n" + (RAMP / 65535).astype("<f4").tobytes(), (0, 1)),
    ],
)
def test_values_without_a_range_need_one(tmp_path, content, value_range):
    write_files(tmp_path, {"a.tif": content})
    with pytest.raises(UserError, match=r"a.tif: it has (?s:.*)for example data.source.value_range=\[0,1\]"):
        load(tmp_path)
    image = load(tmp_path, value_range=value_range).images[0, 0]
    assert image.double().mean() == pytest.approx(127.5, abs=1)
    assert (image.min(), image.max()) == (0, 255)


def test_twelve_bits_in_sixteen_are_warned_of(tmp_path):
    write_files(tmp_path, {"a.png": png_of_16_bits(RAMP >> 4, 0), "b.png": png_of_16_bits(RAMP >> 5, 0)})
    (warning,) = load(tmp_path).warnings
    assert "data.source.value_range=[0,1023] or [0,4095]" in warning
    mended = load(tmp_path, value_range=(0, 4095))
    assert mended.warnings == []
    assert mended.images[0].double().mean() == pytest.approx(127.5, abs=1)
    write_files(tmp_path, {"c.png": png_of_16_bits(RAMP, 0)})
    assert load(tmp_path).warnings == []


UPRIGHT = Image.fromarray(
    np.random.default_rng(3).integers(0, 256, (4, 4, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "TIFF of libtiff"])
def test_orientation_is_applied_once(tmp_path, kind, orientation):
    tag = Image.Exif()
    tag[ExifTags.Base.Orientation] = orientation
    inverse = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    table = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM}
    table |= {5: Image.Transpose.TRANSPOSE, 7: Image.Transpose.TRANSVERSE} | inverse
    stored = UPRIGHT.transpose(table[orientation]) if orientation in table else UPRIGHT
    ways = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95, "subsampling": 0}}
    options = (ways | {"TIFF of libtiff": {"compression": "tiff_lzw"}}).get(kind, {})
    content = encoded(stored, kind.split()[0], exif=tag, **options)
    image_set = load(write_files(tmp_path, {"a.png": content}), resolution=32, fit="exact")
    seen = image_set.images[0].permute(1, 2, 0).int()
    assert (seen - torch.from_numpy(np.array(UPRIGHT)).int()).abs().float().mean() < 3
    assert any("turned upright" in note for note in image_set.notes) == (orientation > 1)
    with Image.open(io.BytesIO(content)) as opened:
        assert np.array_equal(np.array(ImageOps.exif_transpose(opened).convert("RGB")), seen.numpy())


def test_damaged_exif_does_not_break_an_image(tmp_path):
    content = encoded(Image.new("RGB", (8, 8), (90, 90, 90)), "JPEG", exif=b"Exif\0\0not a header of EXIF data")
    assert load(write_files(tmp_path, {"a.jpg": content})).images.float().mean() == 90


@pytest.mark.parametrize("background", ["black", "#0000ff"])
def test_background_is_the_chosen_colour(tmp_path, background):
    for hidden in (0, 255):
        content = encoded(half_transparent("RGBA", [hidden] * 3, [101] * 3), "PNG")
        write_files(tmp_path, {f"{hidden}.png": content})
    image_set = load(tmp_path, background=background)
    blue = 255 if background == "#0000ff" else 0
    for image in image_set.images:
        assert image.double().mean((1, 2)).tolist() == [50.5, 50.5, (blue + 101) / 2]
    assert image_set.notes == [f"2 images with transparent parts, laid on {background}"]


@pytest.mark.parametrize("background", ["wite", "#12", "#11223344", "rgb(1,2)"])
def test_background_that_is_no_colour_is_refused(tmp_path, background):
    with pytest.raises(UserError, match="must be a colour, such as white"):
        load(write_files(tmp_path, {"a.png": 3}), background=background)


@pytest.mark.parametrize("value_range", [[0], [1, 1], [0, 1, 2]])
def test_value_range_that_is_none_is_refused(tmp_path, value_range):
    with pytest.raises(UserError, match=r"data.source.value_range=\[.*must be the two values"):
        load(write_files(tmp_path, {"a.png": 3}), value_range=value_range)


def test_not_a_number_is_a_broken_image(tmp_path, caplog):
    values = (RAMP / 65535).astype("<f4")
    values[0, 0] = np.nan
    write_files(tmp_path, {"a.tif": tiff(values, 1, 3), "b.png": 7})
    with caplog.at_level(logging.WARNING):
        image_set = sets.folder("", "train", 8, 3, path=str(tmp_path), value_range=[0, 1])
    assert len(image_set) == 1
    assert image_set.notes == ["1 image broken and left out"]
    assert "a.tif: some of its values are not finite numbers" in caplog.text


def test_images_to_score_are_read_like_the_dataset(tmp_path):
    rng = np.random.default_rng(0)
    files = {}
    for name in "ab":
        for index in range(10):
            files[f"{name}/{index}.png"] = png_of_16_bits(rng.integers(0, 65536, (8, 8, 1)).astype(np.uint16), 0)
            files[f"{name}/c{index}.png"] = encoded(half_transparent("RGBA", [3] * 3, rng.integers(0, 256, 3)), "PNG")
    write_files(tmp_path / "real", files)
    write_zip(tmp_path / "samples.zip", files)
    settings = ("data=folder", "data.path=real", "data.resolution=8", "data.background=black", "trainer=cpu")
    metrics = ("metrics=classifier", "metrics.extractor.updates=3", "metrics/score=[fid]", "output=scores")
    done = ganexp("evaluate", "images=samples.zip", *settings, *metrics, cwd=tmp_path)
    assert "images: 40 images in 2 classes of 20 each: a, b" in done.stdout
    assert "20 images with transparent parts, laid on black" in done.stdout
    assert "20 images scaled from more than 8 bits per channel" in done.stdout
    scores = json.loads((tmp_path / "scores" / "scores.json").read_text())["scores"]
    assert scores["fid_classifier"] < 1e-3


def test_ordinary_images_are_decoded_as_before(tmp_path):
    for index in range(3):
        photo(tmp_path / f"{index}.png", (8, 8))
        photo(tmp_path / f"{index}.jpg", (8, 8))
    for channels, mode in ((3, "RGB"), (1, "L")):
        images = load(tmp_path, channels=channels).images
        for image, path in zip(images, sorted(tmp_path.iterdir()), strict=True):
            with Image.open(path) as opened:
                expected = np.array(opened.convert(mode)).reshape(8, 8, channels)
            assert np.array_equal(image.permute(1, 2, 0).numpy(), expected)
