"""Curves: their panels, and the mark at the best point of each score, whether lower or higher values are better."""

import math
from types import SimpleNamespace

import pytest
import torch
from helpers.config import config

from ganexp.build_scores import score_factories
from ganexp.metrics.score import ScoreContext
from ganexp.plots.curves import best_point, panels, plot_curves, smoothed

LOWER, HIGHER = {"higher_is_better": False, "plot_scale": "log"}, {"higher_is_better": True, "plot_scale": "linear"}


def stars(figure):
    """Return a dictionary from the title of each panel to its marked point, or to None if no point is marked."""
    marked = {}
    for axes in figure.axes:
        points = [tuple(line.get_xydata()[0]) for line in axes.lines if line.get_marker() == "*"]
        marked[axes.get_title()] = points[0] if points else None
    return marked


def test_best_points_follow_the_direction_of_each_score():
    points = [{"step": 0, "loss/generator": 1.0, "loss/discriminator": 2.0}]
    values = {0: (1, 0.5), 5: (3, 4), 9: (5, 2)}
    points += [{"step": step, "score/fid_x": f, "score/is_x": i} for step, (f, i) in values.items()]
    points += [
        {"step": step, "score/kid_x": f, "score/distance_x": f, "score/is_x_std": 1} for step, (f, _) in values.items()
    ]
    points += [{"step": 5, "d_logit/train": 1.0, "d_logit/fake": -1.0}]
    info = {"fid_x": LOWER, "is_x": HIGHER, "kid_x": LOWER, "distance_x": {"higher_is_better": None}}
    figure = plot_curves(points, info | {"is_x_std": {"spread_of": "is_x"}, "absent_x": LOWER}, "title")
    assert stars(figure) == {
        "loss": None,
        "D's mean logit": None,
        "fid_x": (5, 3),  # step 0 is never the best
        "is_x": (5, 4),
        "kid_x": (5, 3),
        "distance_x": None,
    }
    assert figure.axes[2].get_yscale() == "log"
    assert figure.axes[3].get_yscale() == "linear"


def test_every_score_of_ganexp_is_marked_at_its_better_end():
    """KID and intra-class FID were once marked at their worst value."""
    scores = "[is,fid,accuracy,kid,neighbours,diversity,fid_interval,fid_infinity,intra_fid]"
    context = ScoreContext(
        extractor="x",
        feature_dim=2,
        num_logits=3,
        knows_labels=True,
        references={"train": SimpleNamespace(features=torch.rand(20, 2), count=20)},
        samples=20,
        device=torch.device("cpu"),
        num_classes=3,
        class_reference=lambda index: None,
    )
    info = {}
    for factory in score_factories(config(f"metrics/score={scores}")).values():
        info |= factory(context).value_info()
    lower = {"fid_x", "kid_x", "fid_infinity_x", "intra_fid_x"}
    higher = {"is_x", "accuracy_x", "precision_x", "recall_x", "density_x", "coverage_x"}
    directions = {name: entry.get("higher_is_better") for name, entry in info.items()}
    assert {name for name, direction in directions.items() if direction is False} == lower
    assert {name for name, direction in directions.items() if direction is True} == higher
    points = [{"step": step, **{f"score/{name}": value for name in info}} for step, value in ((1, 2.0), (2, 1.0))]
    marked = stars(plot_curves(points, info, ""))
    assert {name for name, point in marked.items() if point == (2, 1)} == lower
    assert {name for name, point in marked.items() if point == (1, 2)} == higher


def test_losses_are_means_below_an_axis_of_epochs():
    points = [{"step": step, "score/is_x": value, "axis/epochs": step / 10} for step, value in ((0, 1.0), (20, 4.0))]
    points += [{"step": 10, "loss/generator": 9.0, "loss/generator_mean": 5.0, "axis/epochs": 1.0}]
    figure = plot_curves(points, {"is_x": HIGHER}, "")
    losses, score = figure.axes
    assert [list(line.get_ydata()) for line in losses.lines] == [[], [5.0]]
    assert [list(line.get_ydata()) for line in score.lines] == [[1.0, 4.0], [4.0]]  # the curve, and its best value
    (epochs,) = losses.child_axes
    figure.draw_without_rendering()
    assert epochs.get_xlim() == pytest.approx([x / 10 for x in losses.get_xlim()])
    losses.set_xlim(-10, 40)  # beyond the first and the last point
    figure.draw_without_rendering()
    assert epochs.get_xlim() == pytest.approx([-1, 4])


@pytest.mark.parametrize(("steps", "expected"), [([0], 0), ([], None)])
def test_best_point_of_few_points(steps, expected):
    assert best_point(steps, [1.0] * len(steps), True) == expected


@pytest.mark.parametrize("higher_is_better", [True, False])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_best_point_is_finite(higher_is_better, place):
    values = [3.0, 3.0, 3.0]
    values[place] = math.nan
    assert best_point([10, 20, 30], values, higher_is_better) == (1 if place == 0 else 0)
    assert best_point([0, 10], [3.0, math.nan], higher_is_better) == 0
    assert best_point([0, 10], [math.nan, math.inf], higher_is_better) is None
    figure = plot_curves(
        [{"step": 10 * step, "score/fid_x": value} for step, value in enumerate(values)], {"fid_x": LOWER}, ""
    )
    assert figure.axes[1].get_yscale() == "log"


@pytest.mark.parametrize(("count", "rows", "columns"), [(1, 1, 1), (3, 1, 3), (4, 2, 2), (5, 2, 3), (7, 3, 3)])
def test_panels_stand_in_rows_of_at_most_three(count, rows, columns):
    figure = panels(count, "title")
    assert len(figure.axes) == count
    grid = figure.axes[0].get_gridspec()
    assert (grid.nrows, grid.ncols) == (rows, columns)


def test_smoothed_values_have_no_bias_at_the_start():
    assert smoothed([3.0] * 50) == pytest.approx([3.0] * 50)
    means = smoothed([0.0, 2.0] * 200)
    assert means[-1] == pytest.approx(1, abs=0.1)
    assert smoothed([1.0, float("nan"), 1.0]) == pytest.approx([1, 1, 1])


def test_many_losses_are_smoothed_over_the_values_themselves():
    points = [{"step": step, "loss/generator_mean": step % 2} for step in range(60)]
    axes = plot_curves(points, {}, "").axes[0]
    faint, smooth = (list(line.get_ydata()) for line in axes.lines[1:])
    assert faint == [step % 2 for step in range(60)]
    assert max(smooth[30:]) - min(smooth[30:]) < 0.5
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["discriminator", "generator"]
