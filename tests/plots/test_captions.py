"""Titles and column heads above pictures, and captions below images."""

import torch

from ganexp.plots.captions import GREY, titled, with_captions, with_heads


def test_title_is_above_an_unchanged_picture():
    picture = torch.full((3, 20, 300), 7, dtype=torch.uint8)
    short, long = titled(picture, "digits"), titled(picture, "a long title of a picture " * 5)
    for with_title in (short, long):
        assert torch.equal(with_title[:, -20:], picture)
        assert with_title[:, :-20].max() > 200  # the light text on the grey background
    assert long.shape[1] > short.shape[1]
    assert titled(picture, "") is picture


def test_title_widens_a_picture_narrower_than_a_word():
    picture = torch.zeros(3, 5, 10, dtype=torch.uint8)
    with_title = titled(picture, "a-directory-with-a-long-name")
    assert with_title.shape[2] > 10
    assert torch.equal(with_title[:, -5:, :10], picture)
    assert (with_title[:, -5:, 10:] == GREY).all()


def test_heads_stand_above_their_columns():
    headed = with_heads(torch.zeros(3, 10, 220, dtype=torch.uint8), ["", "B"], left=20)
    assert (headed[:, :-10, :120] == GREY).all()
    assert headed[:, :-10, 150:190].max() > 200


def test_captions_are_below_each_image():
    images = torch.zeros(2, 1, 48, 48, dtype=torch.uint8)
    first, second = with_captions(images, ["", "0.5"])
    assert first[:, 48:].max() == GREY
    assert second[:, 48:].max() > 200
    assert second[:, :48].max() == 0
