"""Section of the features: which matter, and how the scores depend on them."""

from pipelines.report.feature_effects import Dependence, FeatureEffects
from pipelines.report.figures.features import dependence_figure, importance_figure
from pipelines.report.page.blocks import Block, Figure, Section, number, table
from pipelines.report.run_data import RunData

_SUFFIXES = {"binary": "binary", "count": "counts", "value": "values"}
"""Suffix of the names of figures by the kind of the task."""
_IMPORTANCES = (
    ("binary", "importance", "loss of AUC"),
    ("count", "importance-counts", "rise of NMAE"),
    ("value", "importance-values", "loss of the normalized Gini coefficient"),
)


def features_section(data: RunData, effects: FeatureEffects | None) -> Section | None:
    """Returns the permutation importance of the features, and the partial dependence on the most important ones.

    Args:
        data: The run.
        effects: Effects of the features; None if the model or the rows no longer exist.
    """
    if effects is None:
        return None
    spec = data.settings.spec
    kinds = {output.name: spec.task(output.task).kind for output in spec.outputs}
    blocks: list[Block] = []
    for index, effect in enumerate(data.effects):
        for kind, suffix in _SUFFIXES.items():
            outputs = [one for one in effect.means if kinds[one] == kind]
            if outputs:
                served = effect.served if isinstance(effect.served, str) else f"{effect.served:g}"
                caption = (
                    "Mean score on rows of the eval split if all of them had this value of the feature, which is known "
                    f"in training only. The exported model, and all metrics, use the value {served} in every row."
                )
                name = f"training-only-{index}-{suffix}"
                figure = dependence_figure(Dependence(effect.feature, effect.values, effect.means), outputs)
                blocks.append(Figure(name, f"Effect of {effect.feature}", caption, figure))
    for kind, name, loss in _IMPORTANCES:
        outputs = [one for one in effects.labels if kinds[one] == kind]
        if outputs:
            caption = (
                f"{loss[0].upper()}{loss[1:]} when the values of a feature are permuted between {effects.rows:,} rows "
                "of the test split: mean and range of two permutations. Features with the same information share it."
            )
            figure = importance_figure(effects.importances, outputs, loss)
            blocks.append(Figure(name, "Permutation importance", caption, figure, wide=True))
    for index, dependence in enumerate(effects.dependences):
        for kind, suffix in _SUFFIXES.items():
            outputs = [one for one in dependence.means if kinds[one] == kind]
            if outputs:
                caption = "Mean score on all rows of a sample if all of them had this value of the feature."
                name = f"dependence-{index}-{suffix}"
                spec_of_figure = dependence_figure(dependence, outputs)
                blocks.append(Figure(name, f"Partial dependence on {dependence.feature}", caption, spec_of_figure))
    columns = ("feature", "output", "loss of the metric", "lowest", "highest")
    rows = [
        [one.feature, one.output, number(one.loss), number(one.lowest), number(one.highest)]
        for one in effects.importances
    ]
    blocks.append(table(columns, rows, "Permutation importance of each feature for each output.", search="feature"))
    return Section("features", "Features", tuple(blocks))
