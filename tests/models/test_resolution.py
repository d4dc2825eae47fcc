"""The division of a resolution by a number, and its split into a base and a number of doublings."""

import pytest

from ganexp.models.resolution import divide_resolution, split_resolution


@pytest.mark.parametrize(
    ("resolution", "expected"), [(3, (3, 0)), (8, (4, 1)), (28, (7, 2)), (32, (4, 3)), (48, (6, 3)), (96, (6, 4))]
)
def test_split_resolution(resolution, expected):
    assert split_resolution(resolution) == expected


@pytest.mark.parametrize(("resolution", "nearest"), [(50, 48), (2, 4), (9, 8), (33, 32)])
def test_split_resolution_names_nearest(resolution, nearest):
    with pytest.raises(ValueError, match=rf"resolution={resolution} .* data\.resolution={nearest}$"):
        split_resolution(resolution)


def test_divide_resolution():
    assert divide_resolution(32, 8) == 4


@pytest.mark.parametrize(("resolution", "divisor", "fix"), [(28, 8, 24), (2, 4, 4)])
def test_divide_resolution_names_a_multiple(resolution, divisor, fix):
    with pytest.raises(ValueError, match=rf"not a multiple of {divisor}: use data\.resolution={fix}$"):
        divide_resolution(resolution, divisor)
