"""Grids of images, and the files in which pictures are saved."""

import torch
from matplotlib.figure import Figure
from torchvision.io import read_image

from ganexp.plots import grids


def test_image_grid_enlarges_small_images():
    images = torch.full((6, 1, 8, 8), -1.0)
    images[4] = 1.0
    picture = grids.image_grid(images, columns=3)
    assert picture.shape == (3, 2 * 50 + 2, 3 * 50 + 2)  # 8 pixels shown as 48, with 2 pixels between images
    assert picture[:, 52:100, 52:100].min() == 255
    assert picture[:, 2:50, 2:50].max() == 0


def test_saved_pictures_are_read_back(tmp_path):
    picture = torch.randint(0, 256, (3, 5, 7), dtype=torch.uint8)
    grids.save_picture(picture, tmp_path / "a" / "grid.png")
    assert torch.equal(read_image(str(tmp_path / "a" / "grid.png")), picture)
    grids.save_image(torch.ones(1, 8, 8), tmp_path / "one.png")
    assert torch.equal(read_image(str(tmp_path / "one.png")), torch.full((1, 8, 8), 255, dtype=torch.uint8))
    grids.save_figure(Figure(), tmp_path / "b" / "figure.png")
    assert sorted(path.name for path in tmp_path.rglob("*.png")) == ["figure.png", "grid.png", "one.png"]


def test_side_by_side_keeps_the_order():
    left, right = torch.zeros(3, 2, 1), torch.ones(3, 2, 2)
    assert grids.side_by_side(left, right)[0, 0].tolist() == [0, 1, 1]


def test_row_names_stand_beside_their_rows():
    images = torch.full((6, 1, 48, 48), -1.0)
    plain, named = grids.image_grid(images, 3), grids.image_grid(images, 3, ["Ω", "a very long name of a class"])
    width = named.shape[2] - plain.shape[2]
    assert torch.equal(named[:, :, width:], plain)
    column = named[0, :, :width]
    first, second = (column[rows] for rows in (slice(2, 50), slice(52, 100)))
    assert column[0].eq(grids.GREY).all()
    assert 0 < first.ne(grids.GREY).sum() < second.ne(grids.GREY).sum()  # the names are a letter and a long text
    assert width < 200
    assert grids.image_grid(images, 3, ["b", "b"]).shape[2] < named.shape[2]
