"""Figures of the training: stages, and the epoch whose weights are kept."""

import pytest

from pipelines.report.figures.training import history_stages, kept_epoch, loss_figure, metric_figure

STAGE = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 1.5, 2.0], "val_ctr_auc": [0.6, 0.65, 0.7]}


@pytest.mark.parametrize(
    ("monitor", "is_higher_better", "kept"), [("val_loss", False, 2), ("val_ctr_auc", True, 3), ("val_none", False, 2)]
)
def test_kept_epoch_is_the_best_one(monitor, is_higher_better, kept):
    assert kept_epoch(STAGE, monitor, is_higher_better) == kept


def test_stages_are_shown_one_by_one():
    assert history_stages(STAGE) == {"": STAGE}
    assert history_stages({"first": STAGE, "second": STAGE}) == {"first": STAGE, "second": STAGE}
    assert history_stages({}) == {}


def test_figures_have_the_values_of_the_history():
    (values,) = [rows for rows in metric_figure(STAGE, 3, "_auc", "AUC")["datasets"].values() if "AUC" in rows[0]]
    assert [(row["epoch"], row["AUC"], row["output"]) for row in values] == [
        (1, 0.6, "ctr"),
        (2, 0.65, "ctr"),
        (3, 0.7, "ctr"),
    ]
    one_epoch = {"loss": [1.0], "val_loss": [2.0]}
    assert loss_figure(one_epoch, 1)["layer"]
