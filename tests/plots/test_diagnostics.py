"""Diagnostics are drawn for what there is."""

import math

import torch

from ganexp.plots.diagnostics import nearest_picture, plot_diagnostics


def test_a_panel_for_each_quantity():
    logits = {"fake": torch.randn(50), "train": torch.randn(50)}
    assert len(plot_diagnostics(logits, {"share": [0.5, 0.5]}, ["a", "b"]).axes) == 2
    figure = plot_diagnostics({}, {"share": [0.5, 0.5], "fid": [1.0, 2.0]}, [])
    assert [axes.get_title() for axes in figure.axes] == ["share of samples by class", "FID by class"]


def test_classes_without_a_value_have_no_bar():
    by_class = {"classes": ["a", "b", "c"], "expected_share": [0.7, 0.3, 0.0], "share": [0.6, 0.4, 0.0]}
    figure = plot_diagnostics({}, by_class | {"fid": [1.0, None, 2.0]}, ["a", "b", "c"])
    share, fid = figure.axes  # names and expected shares are no quantities
    assert [bar.get_height() for bar in fid.patches[::2]] == [1.0, 2.0]
    assert math.isnan(fid.patches[1].get_height())
    (lines,) = share.collections
    assert [segment[0][1] for segment in lines.get_segments()] == [0.7, 0.3, 0.0]
    assert not fid.collections
    assert [label.get_text() for label in share.get_xticklabels()] == ["a", "b", "c"]


def test_nearest_picture_has_a_row_for_each_sample():
    samples = torch.rand(2, 1, 2, 2) * 2 - 1
    neighbours = torch.randint(0, 256, (2, 9, 1, 2, 2), dtype=torch.uint8)
    assert nearest_picture(samples, neighbours).shape == (3, 2 * 50 + 2, 52 + 8 + 9 * 50 + 2)
