"""Diagnostics have a panel for each quantity that has values."""

import math

import pytest
import torch
from matplotlib.figure import Figure

from ganexp.pixels import to_uint8
from ganexp.plots.captions import LINE, SMALL_LINE
from ganexp.plots.diagnostics import nearest_picture, plot_diagnostics, plot_feature_projection


def test_a_panel_for_each_quantity():
    logits = {"fake": torch.randn(50), "train": torch.randn(50)}
    assert len(plot_diagnostics(logits, {"share": [0.5, 0.5]}, ["a", "b"]).axes) == 2
    figure = plot_diagnostics({}, {"share": [0.5, 0.5], "fid": [1.0, 2.0]}, [])
    assert [axes.get_title() for axes in figure.axes] == ["share of samples by class", "FID by class"]


def test_classes_without_a_value_have_no_bar():
    by_class = {"classes": ["a", "b", "c"], "expected_share": [0.7, 0.3, 0.0], "share": [0.6, 0.4, 0.0]}
    figure = plot_diagnostics({}, by_class | {"fid": [1.0, None, 2.0]}, ["a", "b", "c"])
    share, fid = figure.axes  # names and expected shares have no panels
    assert [bar.get_height() for bar in fid.patches[::2]] == [1.0, 2.0]
    assert math.isnan(fid.patches[1].get_height())
    (lines,) = share.collections
    assert [segment[0][1] for segment in lines.get_segments()] == [0.7, 0.3, 0.0]
    assert [text.get_text() for text in share.get_legend().get_texts()] == ["expected"]
    assert not fid.collections
    assert [label.get_text() for label in share.get_xticklabels()] == ["a", "b", "c"]


def test_nearest_picture_has_a_row_for_each_sample():
    samples = torch.rand(2, 1, 2, 2) * 2 - 1
    neighbours = torch.randint(0, 256, (2, 9, 1, 2, 2), dtype=torch.uint8)
    picture = nearest_picture(samples, neighbours, torch.rand(2, 9))
    rows = 2 * (50 + SMALL_LINE) + 2  # below each image, a line of SMALL_LINE pixels shows the distance
    assert picture.shape == (3, LINE + rows, 52 + 8 + 9 * 50 + 2)
    assert (picture[:, 2 + LINE : 50 + LINE, 2:50] == to_uint8(samples[0, 0, 0, 0])).any()


def test_projection_separates_collapsed_samples_from_real_images():
    real = torch.randn(40, 5, generator=torch.Generator().manual_seed(0)) * torch.tensor([0.1, 3.0, 0.1, 9.0, 0.1])
    axes = Figure().subplots()
    plot_feature_projection(axes, real, real[:1].repeat(7, 1))
    shown, collapsed = (points.get_offsets() for points in axes.collections)
    assert shown.shape == (40, 2)
    assert shown.std(0).tolist() == pytest.approx(real[:, [3, 1]].std(0, correction=0).tolist(), rel=0.1)
    assert (collapsed == shown[0]).all()
