"""The picture of a run's losses and scores."""

import gc
import weakref
from unittest import mock

from helpers.runs import make_run, template

from ganexp.callbacks import curves
from ganexp.runs.run_directory import RunDirectory


def test_figure_is_freed_without_a_full_collection(tmp_path):
    run = RunDirectory(make_run(tmp_path / "run", template()))
    figures, plot = [], curves.plot_curves

    def watched(*arguments):
        figure = plot(*arguments)
        figures.append(weakref.ref(figure))
        return figure

    gc.collect(1)
    gc.disable()  # so that only the callback itself can free the figure
    try:
        with mock.patch.object(curves, "plot_curves", watched):
            curves.Curves(run).on_train_epoch_end(mock.Mock(), mock.Mock())
        assert run.curves.exists()
        assert [figure() for figure in figures] == [None]
        assert not gc.isenabled()
    finally:
        gc.enable()
