"""Decode image files to 8 bits per channel, in the same way for training, reference statistics and scoring."""

import io
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageColor, TiffImagePlugin, UnidentifiedImageError
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

from ganexp.data.scan import FORMATS
from ganexp.errors import UserError

PILLOW_FORMATS = sorted(set(FORMATS.values()))  # Pillow may use only the decoders of these formats
# The exceptions that Pillow raises for a broken file.
DECODING_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    struct.error,
    Image.DecompressionBombError,
)

# Notes about what was found or changed when an image was decoded. The dataset summary shows all of them except DARK.
SCALED = "scaled from more than 8 bits per channel"
UPRIGHT = "turned upright according to their EXIF data"
FIRST_FRAME = "animated or multi-page, with only the first frame read"
TRANSPARENT = "with transparent parts, laid on {background}"
DARK = "with values in the lowest eighth of their range"  # perhaps they are 12-bit values; leads to a warning

_TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # EXIF orientation -> the operation that makes the image upright
_DEEP_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")  # Pillow's modes of one channel with more than 8 bits
_LEVEL_OF_ONE = {"L;2": 85, "L;4": 17}  # raw mode of 2-bit or 4-bit grey images -> the 8-bit level for the value 1
_TIFF_WHITE_IS_ZERO = 0  # value of the tag PhotometricInterpretation


@dataclass(frozen=True)
class Decoding:
    """How images are decoded.

    Args:
        channels: Number of channels of the decoded images, 1 or 3.
        background: The colour of transparent parts: a name that Pillow knows, or #rrggbb.
        value_range: The values of black and white in grey images with more than 8 bits. None uses the full range of the
            file's bits, and refuses floating-point, signed and 32-bit values.

    Raises:
        UserError: If the background is not a colour, or the range is not two different finite numbers.
    """

    channels: int
    background: str = "white"
    value_range: Sequence[float] | None = None

    def __post_init__(self) -> None:
        background_colour(self.background)
        if self.value_range is not None:
            _check_range(self.value_range)


def background_colour(text: str) -> tuple[int, int, int]:
    """Return the red, green and blue values of a colour, each from 0 to 255.

    Raises:
        UserError: If the colour is unknown, or includes an opacity, as in #rrggbbaa.
    """
    try:
        colour: tuple[int, ...] = ImageColor.getrgb(text)
    except ValueError:
        colour = ()
    if len(colour) != 3:
        raise UserError(f"data.background={text}: must be a colour, such as white, black, gray or '#rrggbb'.")
    return colour[0], colour[1], colour[2]


def _check_range(values: Sequence[float]) -> None:
    if len(values) != 2 or not all(math.isfinite(value) for value in values) or values[0] == values[1]:
        raise UserError(
            f"data.source.value_range={list(values)}: must be the two values of black and white, such as [0,1]."
        )


def decode_image(content: bytes, decoding: Decoding) -> tuple[Tensor, set[str]]:
    """Decode a PNG, JPEG, WebP, GIF, BMP, TIFF or PPM file. The file's content, not its name, decides the format.

    Args:
        content: The bytes of the file.
        decoding: How to decode the file.

    Returns:
        The image, uint8 (channels, H, W), and the notes about changes to it, such as `SCALED`.

    Raises:
        UserError: If the values of black and white in the image are not known.
        Exception: One of `DECODING_ERRORS`, if the file is broken or has a format that is not listed above.
    """
    done = set()
    with open_image(content) as opened:
        if getattr(opened, "is_animated", False):
            done.add(FIRST_FRAME)
        raw_mode = _raw_mode(opened)
        turns = _orientation(opened)
        opened.load()
        image: Image.Image = opened
        if image.mode in _DEEP_MODES:
            image = _to_8_bits(opened, decoding.value_range)
            done |= {SCALED, DARK} if _is_dark(image) and decoding.value_range is None else {SCALED}
        elif ";16" in raw_mode and image.format != "BMP":  # Pillow has kept only the upper 8 bits of each value
            done.add(SCALED)
        if "transparency" in image.info:
            image.info["transparency"] = _to_levels(image.info["transparency"], raw_mode)
        if image.has_transparency_data:
            image, is_seen = _without_transparency(image, decoding.background)
            done |= {TRANSPARENT} if is_seen else set()
        if turns in _TURN:
            done.add(UPRIGHT)
            if opened.format != "TIFF":  # Pillow has already turned a TIFF
                image = image.transpose(_TURN[turns])
        pixels = transforms.pil_to_tensor(_to_channels(image, decoding.channels))
    return pixels, done


def open_image(content: bytes) -> Image.Image:
    """Open an image file, without decoding its pixels.

    Raises:
        Exception: One of `DECODING_ERRORS`, if the file is broken or its format is not in `PILLOW_FORMATS`.
    """
    try:
        return Image.open(io.BytesIO(content), formats=PILLOW_FORMATS)
    except UnidentifiedImageError:  # Pillow's message names the BytesIO object, not the file
        raise UnidentifiedImageError("cannot identify the file as an image") from None


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation from 1 to 8; 1 if the EXIF data are missing or damaged."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except DECODING_ERRORS:
        return 1


def _raw_mode(image: Image.Image) -> str:
    """Return the name that Pillow gives to the pixel format, such as `RGB;16B`; an empty string if it is not known."""
    words = [text for tile in getattr(image, "tile", ()) for text in _texts(tile[3])]
    return words[0] if words else ""


def _to_levels(transparent: Any, raw_mode: str) -> Any:
    """Convert the transparent colour of an image to 8 bits per channel, in the way that Pillow converts the pixels."""
    if isinstance(transparent, tuple) and ";16" in raw_mode:
        return tuple(value >> 8 for value in transparent)
    return transparent * _LEVEL_OF_ONE.get(raw_mode, 1) if isinstance(transparent, int) else transparent


def _texts(argument: Any) -> list[str]:
    parts = argument if isinstance(argument, (tuple, list)) else (argument,)
    return [part for part in parts if isinstance(part, str)]


def _to_8_bits(image: Image.Image, value_range: Sequence[float] | None) -> Image.Image:
    """Convert a one-channel image with more than 8 bits to mode L, or to LA if one value marks transparent pixels."""
    values = np.asarray(image).astype(np.float64)  # (H, W)
    black, white = value_range or _range_of_file(image)
    if not np.isfinite(values).all():
        raise ValueError("some of its values are not finite numbers")
    levels = ((values - black) * (255 / (white - black))).round().clip(0, 255).astype(np.uint8)
    if _tiff_tag(image, TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == _TIFF_WHITE_IS_ZERO:
        levels = 255 - levels
    scaled = Image.fromarray(levels)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        scaled = Image.merge("LA", (scaled, Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8))))
    return scaled


def _is_dark(image: Image.Image) -> bool:
    return np.asarray(image).max() < 32  # of 256 levels


def _range_of_file(image: Image.Image) -> tuple[float, float]:
    """Return the values of black and white in an image file.

    Raises:
        UserError: If the file does not define black and white, because its values are floating-point, signed or
            32-bit.
    """
    kind = {"F": "floating-point values", "I": "32-bit or signed values"}.get(image.mode)
    if kind is None:
        bits = _tiff_tag(image, TiffImagePlugin.BITSPERSAMPLE)
        return 0, 2 ** (bits[0] if bits else 16) - 1
    if image.mode == "I" and image.format in ("PNG", "PPM"):  # Pillow uses this mode for 16-bit values of these formats
        return 0, 2**16 - 1
    raise UserError(
        f"it has {kind}, and the file does not define the values of black and white.\n"
        "Give these two values, for example data.source.value_range=[0,1], or save the images with 8 or 16 bits."
    )


def _tiff_tag(image: Image.Image, tag: int) -> Any:
    return image.tag_v2.get(tag) if isinstance(image, TiffImagePlugin.TiffImageFile) else None


def _without_transparency(image: Image.Image, background: str) -> tuple[Image.Image, bool]:
    """Return the image on the background, and whether it has transparent parts; an opaque image does not change."""
    layer = image.convert("RGBA")
    least_opaque, _ = layer.getchannel("A").getextrema()
    if least_opaque == 255:
        return image if image.mode in ("1", "L") else layer.convert("RGB"), False
    canvas = Image.new("RGBA", image.size, (*background_colour(background), 255))
    return Image.alpha_composite(canvas, layer).convert("RGB"), True


def _to_channels(image: Image.Image, channels: int) -> Image.Image:
    """Return the image in mode L or RGB. The weighted sum of ITU-R 601 converts colour to grey."""
    if image.mode == "LAB":  # Pillow converts this mode only to RGB
        image = image.convert("RGB")
    return image.convert("L" if channels == 1 else "RGB")
