"""Diagnostics are drawn for what there is."""

import torch

from ganexp.plots.diagnostics import nearest_picture, plot_diagnostics


def test_a_panel_for_each_quantity():
    logits = {"fake": torch.randn(50), "train": torch.randn(50)}
    assert len(plot_diagnostics(logits, {"share": [0.5, 0.5]}, ["a", "b"]).axes) == 2
    figure = plot_diagnostics({}, {"share": [0.5, 0.5], "fid": [1.0, 2.0]}, [])
    assert [axes.get_title() for axes in figure.axes] == ["share of samples by class", "FID by class"]


def test_nearest_picture_has_a_row_for_each_sample():
    samples = torch.rand(2, 1, 2, 2) * 2 - 1
    neighbours = torch.randint(0, 256, (2, 9, 1, 2, 2), dtype=torch.uint8)
    assert nearest_picture(samples, neighbours).shape == (3, 2 * 50 + 2, 52 + 8 + 9 * 50 + 2)
