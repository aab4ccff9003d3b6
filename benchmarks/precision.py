"""Whether bfloat16 costs accuracy: every model trained in float32 and in mixed_bfloat16, by seed, on the same rows.

python -m benchmarks.precision
"""

import pathlib
from collections.abc import Mapping

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
_PANELS = pathlib.Path(__file__).parents[1] / "examples" / "m2m.yaml"
_FIELD_SIZES = (2000, 1000, 500, 200, 100, 50, 20, 10)
_OPTIONS: dict[str, dict] = {
    "apem": {"num_layers": 2, "num_points": 16},
    "m2m": {"view_units": [64], "anchor_units": 64, "knowledge_units": [32], "meta_layers": 1},
}


def spec_of(model: str) -> tuple[DatasetSpec, dict[str, int]]:
    """The data set of a model, and its vocabulary sizes."""
    if model == "m2m":
        spec = config.build(DatasetSpec, config.read_yaml(_PANELS), ("spec",))
        return spec, {feature.name: 5 for feature in spec.features if feature.kind == "categorical"}
    sizes = {f"field_{i}": size for i, size in enumerate(_FIELD_SIZES)}
    features = [{"name": name, "kind": "categorical"} for name in sizes]
    tasks = [{"name": "click", "label": "click"}, {"name": "purchase", "label": "purchase", "follows": "click"}]
    return DatasetSpec.from_dict({"name": "log", "features": features, "tasks": tasks}), sizes


def simulated(spec: DatasetSpec, sizes: Mapping[str, int], rows: int, seed: int = 0) -> tuple[dict, dict]:
    """Transformed features and labels: each id has an effect of its own on every task, and pairs of fields have one."""
    rng = np.random.default_rng(seed)
    counts = embedding_rows(spec, sizes)
    features, factors = {}, []
    for one in transformed_inputs(spec):
        if one.name.endswith(WEIGHTS_SUFFIX):
            features[one.name] = np.ones((rows, *one.shape), "float32")
            continue
        ids = (counts[one.name] * rng.random((rows, *one.shape)) ** 3).astype(one.dtype)  # Small ids are frequent.
        features[one.name] = ids
        effects = rng.normal(0, 1, (counts[one.name], 4))[ids]
        factors.append(effects if effects.ndim == 2 else effects.mean(axis=1))
    total, squares = sum(factors), sum(factor**2 for factor in factors)
    pairs = (total**2 - squares) / (2 * len(factors))
    labels: dict[str, np.ndarray] = {}
    for i, task in enumerate(spec.tasks):
        score = total[:, i] / len(factors) ** 0.5 + pairs[:, i]
        if task.kind == "count":
            labels[task.name] = rng.poisson(np.exp(0.5 * score)).astype("float32")
            continue
        drawn = rng.random(rows) < 1 / (1 + np.exp(1.5 - score))
        labels[task.name] = (drawn * (labels[task.follows] if task.follows else 1)).astype("float32")
    return features, labels


def measured(name: str, policy: str, seed: int, rows: int, epochs: int) -> dict[str, float]:
    """AUC of each output, or NMAE of each count, on rows that were not trained on."""
    keras.utils.set_random_seed(seed)
    spec, sizes = spec_of(name)
    features, labels = simulated(spec, sizes, rows + rows // 2)
    train, test = ({k: v[part] for k, v in features.items()} for part in (slice(rows), slice(rows, None)))
    with dtype_policy(policy):
        model = MODELS[name].from_spec(spec, sizes, embedding_dim=8, **_OPTIONS.get(name, {}))
    model.compile(RowSparseAdam(1e-3))
    model.fit(train, {k: v[:rows] for k, v in labels.items()}, batch_size=512, epochs=epochs, verbose=0)
    truth = {k: v[rows:] for k, v in labels.items()}
    found = model.evaluate(test, truth, batch_size=4096, return_dict=True, verbose=0)
    aucs = {f"{metric.removesuffix('_auc')} AUC": value for metric, value in found.items() if metric.endswith("_auc")}
    scores = model.predict(test, batch_size=4096, verbose=0)
    nmae = {
        f"{output.name} NMAE": float(np.abs(scores[output.name] - truth[output.task]).sum() / truth[output.task].sum())
        for output in spec.outputs
        if spec.task(output.task).kind == "count"
    }
    return {**aucs, **nmae}


@click.command()
@click.option("--seeds", default=5, show_default=True, help="Trainings of each model in each precision.")
@click.option("--rows", default=60_000, show_default=True, help="Rows trained on.")
@click.option("--epochs", default=3, show_default=True)
@click.option("--models", default=",".join(MODELS), show_default=True)
def main(seeds: int, rows: int, epochs: int, models: str) -> None:
    """Prints each metric in both precisions, and a paired t-test over the seeds, corrected by Holm."""
    names = models.split(",")
    found: dict[tuple[str, str], dict[str, dict[int, float]]] = {}
    with rich.progress.Progress() as progress:
        bar = progress.add_task("training", total=len(names) * seeds * len(POLICIES))
        for name in names:
            for seed in range(seeds):
                for policy in POLICIES:
                    for metric, value in measured(name, policy, seed, rows, epochs).items():
                        found.setdefault((name, metric), {p: {} for p in POLICIES})[policy][seed] = value
                    progress.advance(bar)
                    keras.backend.clear_session()
    rich.console.Console(width=120).print(table_of(found))


def table_of(found: Mapping[tuple[str, str], Mapping[str, Mapping[int, float]]]) -> rich.table.Table:
    """A line a metric: by model and metric, the values by precision and seed."""
    p_values = [p_value(*(values[policy] for policy in POLICIES)) for values in found.values()]
    table = rich.table.Table("model", "metric", *POLICIES, "difference", "p", "p, Holm")
    for (name, metric), p, corrected in zip(found, p_values, holm(p_values), strict=True):
        of_policies = [summarize(found[name, metric][policy]) for policy in POLICIES]
        means = [f"{one.mean:.4f} +- {one.sd:.4f}" for one in of_policies]
        difference = of_policies[1].mean - of_policies[0].mean
        table.add_row(name, metric, *means, f"{difference:+.4f}", f"{p:.2f}", f"{corrected:.2f}")
    return table


if __name__ == "__main__":
    main()
