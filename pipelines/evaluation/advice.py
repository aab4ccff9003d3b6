"""Sentences about a model whose AUC is below that of logistic regression: the outputs, and settings to try."""

import dataclasses
from collections.abc import Mapping

from pipelines.evaluation.results import OutputMetrics, overall_auc
from pipelines.settings import Settings
from tfmtl.models import MODELS

_MARGIN = 1e-3
"""Difference below which two AUCs count as equal: TFMA's AUC is exact to about this."""


def advice(settings: Settings, rows: list[OutputMetrics], reference: Mapping[str, float]) -> list[str]:
    """Returns one sentence for each output on which the model is worse than a reference, and one with what to try.

    Args:
        settings: Settings of the experiment.
        rows: Metrics of the run.
        reference: AUC of logistic regression by output name; NaN where it is undefined.

    Returns:
        The sentences; none if the model is nowhere worse.
    """
    worse = [
        f"On {name} the model is worse than logistic regression ({auc:.4f} < {reference[name]:.4f})."
        for name, auc in overall_auc(rows).items()
        if name in reference and auc < reference[name] - _MARGIN
    ]
    return [*worse, f"Try: {'; '.join(_suggestions(settings))}."] if worse else []


def _suggestions(settings: Settings) -> list[str]:
    options_class = MODELS.info(settings.model.name).options_class
    names = {field.name for field in dataclasses.fields(options_class)}
    rare = [f.name for f in settings.spec.features if getattr(f, "min_frequency", 1) > 1]
    suggestions = []
    if "wide" in names and not settings.model.options.get("wide", False):
        suggestions.append("model.options.wide: true, which adds a linear term")
    if rare:
        suggestions.append(f"min_frequency: 1 for {', '.join(rare)}")
    suggestions.append("a lower training.learning_rate with more training.max_epochs, or a larger training.patience")
    return [*suggestions, "`tfmtl tune`, which searches for better settings"]
