"""Accuracy of mixed_bfloat16: every model is trained in both precisions, with several seeds, on the same rows.

Run it by `python -m benchmarks.precision`.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

import click
import keras
import numpy as np
import rich.console
import rich.progress
import rich.table

from pipelines.compare.metrics.significance import holm, p_value, summarize
from tfmtl import config
from tfmtl.features import WEIGHTS_SUFFIX
from tfmtl.model_inputs import embedding_rows, transformed_inputs
from tfmtl.models import MODELS
from tfmtl.optimizers import RowSparseAdam
from tfmtl.precision import dtype_policy
from tfmtl.spec import DatasetSpec

POLICIES = ("float32", "mixed_bfloat16")
Arrays = dict[str, np.ndarray]
"""Arrays by name of a feature or task."""
_PANELS = pathlib.Path(__file__).parents[1] / "examples" / "m2m.yaml"
_FIELD_SIZES = (2000, 1000, 500, 200, 100, 50, 20, 10)
_OPTIONS: dict[str, dict[str, Any]] = {
    "apem": {"num_layers": 2, "num_points": 16},
    "m2m": {"view_units": [64], "anchor_units": 64, "knowledge_units": [32], "meta_layers": 1},
}


def make_spec(model: str) -> tuple[DatasetSpec, dict[str, int]]:
    """Returns the spec of the dataset of a model, and the number of tokens by feature.

    Args:
        model: Name of the model.
    """
    if model == "m2m":
        spec = config.build(DatasetSpec, config.read_yaml(_PANELS), ("spec",))
        return spec, {feature.name: 5 for feature in spec.features if feature.kind == "categorical"}
    sizes = {f"field_{i}": size for i, size in enumerate(_FIELD_SIZES)}
    features = [{"name": name, "kind": "categorical"} for name in sizes]
    tasks = [{"name": "click", "label": "click"}, {"name": "purchase", "label": "purchase", "follows": "click"}]
    return DatasetSpec.from_dict({"name": "log", "features": features, "tasks": tasks}), sizes


def simulate(spec: DatasetSpec, sizes: Mapping[str, int], rows: int, seed: int = 0) -> tuple[Arrays, Arrays]:
    """Draws transformed features, and labels that depend on the effect of each id and of each pair of fields.

    Args:
        spec: Spec of the dataset.
        sizes: Number of tokens by feature.
        rows: Number of rows.
        seed: Seed of the draws.

    Returns:
        Features and labels by name.
    """
    rng = np.random.default_rng(seed)
    counts = embedding_rows(spec, sizes)
    features: Arrays = {}
    factors = []
    for one in transformed_inputs(spec):
        if one.name.endswith(WEIGHTS_SUFFIX):
            features[one.name] = np.ones((rows, *one.shape), "float32")
            continue
        ids = (counts[one.name] * rng.random((rows, *one.shape)) ** 3).astype(one.dtype)  # Low ids are frequent.
        features[one.name] = ids
        effects = rng.normal(0, 1, (counts[one.name], 4))[ids]
        factors.append(effects if effects.ndim == 2 else effects.mean(axis=1))
    total, squares = sum(factors), sum(factor**2 for factor in factors)
    pairs = (total**2 - squares) / (2 * len(factors))
    labels: Arrays = {}
    for i, task in enumerate(spec.tasks):
        score = total[:, i] / len(factors) ** 0.5 + pairs[:, i]
        if task.kind == "count":
            labels[task.name] = rng.poisson(np.exp(0.5 * score)).astype("float32")
            continue
        drawn = rng.random(rows) < 1 / (1 + np.exp(1.5 - score))
        labels[task.name] = (drawn * (labels[task.follows] if task.follows else 1)).astype("float32")
    return features, labels


def measure(name: str, policy: str, seed: int, rows: int, epochs: int) -> dict[str, float]:
    """Trains a model and measures the AUC of each output, or the NMAE of each count, on other rows.

    Args:
        name: Name of the model.
        policy: Dtype policy of Keras.
        seed: Seed of the training.
        rows: Number of training rows; half as many are used for the metrics.
        epochs: Number of epochs.

    Returns:
        Metrics by output and name of the metric.
    """
    keras.utils.set_random_seed(seed)
    spec, sizes = make_spec(name)
    features, labels = simulate(spec, sizes, rows + rows // 2)
    train, test = ({k: v[part] for k, v in features.items()} for part in (slice(rows), slice(rows, None)))
    with dtype_policy(policy):
        model = MODELS[name].from_spec(spec, sizes, embedding_dim=8, **_OPTIONS.get(name, {}))
    model.compile(RowSparseAdam(1e-3))
    model.fit(train, {k: v[:rows] for k, v in labels.items()}, batch_size=512, epochs=epochs, verbose=0)
    truth = {k: v[rows:] for k, v in labels.items()}
    metrics = model.evaluate(test, truth, batch_size=4096, return_dict=True, verbose=0)
    aucs = {f"{name.removesuffix('_auc')} AUC": value for name, value in metrics.items() if name.endswith("_auc")}
    scores = model.predict(test, batch_size=4096, verbose=0)
    nmae = {
        f"{output.name} NMAE": float(np.abs(scores[output.name] - truth[output.task]).sum() / truth[output.task].sum())
        for output in spec.outputs
        if spec.task(output.task).kind == "count"
    }
    return {**aucs, **nmae}


@click.command()
@click.option("--seeds", default=5, show_default=True, help="Number of trainings of each model in each precision.")
@click.option("--rows", default=60_000, show_default=True, help="Number of training rows.")
@click.option("--epochs", default=3, show_default=True, help="Number of epochs.")
@click.option("--models", default=",".join(MODELS), show_default=True, help="Names of the models.")
def main(seeds: int, rows: int, epochs: int, models: str) -> None:
    """Print each metric in both precisions, with a paired t-test over the seeds and Holm's correction."""
    names = models.split(",")
    values: dict[tuple[str, str], dict[str, dict[int, float]]] = {}
    with rich.progress.Progress() as progress:
        bar = progress.add_task("training", total=len(names) * seeds * len(POLICIES))
        for name in names:
            for seed in range(seeds):
                for policy in POLICIES:
                    for metric, value in measure(name, policy, seed, rows, epochs).items():
                        values.setdefault((name, metric), {p: {} for p in POLICIES})[policy][seed] = value
                    progress.advance(bar)
                    keras.backend.clear_session()
    rich.console.Console(width=120).print(make_table(values))


def make_table(values: Mapping[tuple[str, str], Mapping[str, Mapping[int, float]]]) -> rich.table.Table:
    """Creates a table with a line for each metric of each model.

    Args:
        values: Values by precision and seed, for each model and metric.
    """
    p_values = [p_value(*(by_policy[policy] for policy in POLICIES)) for by_policy in values.values()]
    table = rich.table.Table("model", "metric", *POLICIES, "difference", "p", "p, Holm")
    for (name, metric), p, corrected in zip(values, p_values, holm(p_values), strict=True):
        summaries = [summarize(values[name, metric][policy]) for policy in POLICIES]
        means = [f"{one.mean:.4f} +- {one.sd:.4f}" for one in summaries]
        difference = summaries[1].mean - summaries[0].mean
        table.add_row(name, metric, *means, f"{difference:+.4f}", f"{p:.2f}", f"{corrected:.2f}")
    return table


if __name__ == "__main__":
    main()
