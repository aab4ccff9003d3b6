"""Figure of the training curves: colored rows over grey baselines, and a panel with the last epochs."""

import types

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from pipelines.compare.report.figures import plot_curves

SERIES = {
    "mmoe": [[0.60, 0.70, 0.78, 0.79], [0.62, 0.72, 0.80, 0.81]],
    "man": [[0.61, 0.71, 0.79, 0.80, 0.82, 0.82]],
    "apem": [[0.55, 0.65, 0.75, 0.81, 0.81]],
}


def runs(series=SERIES):
    return {
        row: [types.SimpleNamespace(history={"val_auc": values}) for values in lists] for row, lists in series.items()
    }


def lines(axis):
    return {line.get_label(): line for line in axis.get_lines()}


def test_baselines_are_grey_and_have_one_entry_in_the_legend():
    figure = plot_curves({**runs(), "ple": runs()["mmoe"]}, "auc", ["mmoe", "ple"])
    axis = figure.axes[0]
    grey = [line for line in axis.get_lines() if line.get_label() == "baselines"]
    assert len(grey) == 2
    assert {to_hex(line.get_color()) for line in grey} == {"#b0b0b0"}
    assert len({to_hex(lines(axis)[row].get_color()) for row in ("man", "apem")} - {"#b0b0b0"}) == 2
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["baselines", "man", "apem"]


def test_lines_are_the_means_over_seeds():
    axis = plot_curves(runs(), "auc").axes[0]
    np.testing.assert_allclose(lines(axis)["mmoe"].get_ydata(), [0.61, 0.71, 0.79, 0.80])
    np.testing.assert_array_equal(lines(axis)["mmoe"].get_xdata(), [1, 2, 3, 4])


def test_last_epochs_are_enlarged():
    whole, zoomed = plot_curves(runs(), "auc").axes
    assert whole.get_xlim()[0] < 1
    assert 3 < zoomed.get_xlim()[0] < 4
    assert zoomed.get_xlim()[1] > 6
    low, high = zoomed.get_ylim()
    assert 0.78 < low < 0.80
    assert 0.82 < high < 0.83


def test_a_row_far_below_does_not_widen_the_enlarged_axis():
    zoomed = plot_curves(runs({**SERIES, "dead": [[0.5] * 6]}), "auc").axes[1]
    assert zoomed.get_ylim()[0] > 0.78


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.5], [0.0, 0.0]])
def test_short_and_constant_curves(values):
    low, high = plot_curves(runs({"man": [values]}), "auc").axes[1].get_ylim()
    assert low < values[-1] < high


def test_rows_without_the_monitor_are_left_out():
    figure = plot_curves({"lightgbm": [types.SimpleNamespace(history={})]}, "auc")
    assert not figure.axes[0].get_lines()
    assert not figure.legends


@pytest.mark.parametrize("count", [1, 30, 60])
def test_all_lines_of_the_legend_are_inside_the_figure(count):
    figure = plot_curves({f"model_{i}": runs()["mmoe"] for i in range(count)}, "auc")
    FigureCanvasAgg(figure).draw()
    inner, outer = figure.legends[0].get_window_extent(), figure.bbox
    assert len(figure.legends[0].get_texts()) == count
    assert outer.x0 <= inner.x0 <= inner.x1 <= outer.x1
    assert outer.y0 <= inner.y0 <= inner.y1 <= outer.y1
