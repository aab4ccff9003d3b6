"""Logs on which the default settings are measured: real ones, and simulated ones of two shapes."""

import dataclasses
import pathlib
from typing import Any

import yaml

OTHERS = ("shared_bottom", "ple", "esmm", "aitm")
"""Models that are measured with their defaults, besides that of `tfmtl init`."""
DEMO = pathlib.Path(__file__).parents[1] / "examples" / "demo.yaml"


@dataclasses.dataclass(frozen=True)
class Log:
    """A log, and the arguments of `tfmtl init` that name its labels.

    Attributes:
        name: Name of the log in the table.
        arguments: Arguments of `tfmtl init` after the path.
        path: Path of a real log in the folder of the data; empty for a simulated one.
        simulator: Settings of a simulated log.
        others: Names of further models to measure.
    """

    name: str
    arguments: tuple[str, ...]
    path: str = ""
    simulator: dict[str, Any] = dataclasses.field(default_factory=dict)
    others: tuple[str, ...] = ()


def logs() -> tuple[Log, ...]:
    """Returns the logs in the order of the table."""
    liked = ("--task", "liked:rating>=4", "--task", "loved:rating>=5")
    census = ("--task", "rich:column_42=50000+.", "--task", "single:column_8=Never married")
    clicks = ("--task", "click", "--task", "conversion")
    return (
        Log("movielens", liked, "movielens/ratings.csv", others=OTHERS),
        Log("kuairand", ("--task", "is_click", "--task", "long_view"), "kuairand/interactions.tsv", others=OTHERS),
        Log("census_income", census, "census_income/people.csv"),
        Log("demo", clicks, simulator=yaml.safe_load(DEMO.read_text(encoding="utf-8"))),
        Log("many_fields", clicks, simulator=_many_fields()),
    )


def _many_fields() -> dict[str, Any]:
    """Returns settings of 120,000 impressions with 42 fields, many ids, and conversions in .6 % of the rows."""
    features: dict[str, dict[str, Any]] = {
        **{f"user_field_{i}": {"entity": "user", "cardinality": 3 * (i + 1), "skew": 0.8} for i in range(12)},
        **{f"item_field_{i}": {"entity": "item", "cardinality": 4 ** (i // 3 + 1), "skew": 1.0} for i in range(12)},
        **{f"context_{i}": {"cardinality": 5 * (i + 1), "skew": 0.5, "missing": 0.1} for i in range(8)},
        **{f"number_{i}": {"entity": ("user", "item")[i % 2], "median": 10, "sigma": 1.0} for i in range(8)},
    }
    kinds = {name: "numerical" if "median" in options else "categorical" for name, options in features.items()}
    fields = [
        {"name": name, "kind": kind} for name, kind in {"user": "categorical", "item": "categorical", **kinds}.items()
    ]
    tasks = [{"name": "click", "label": "click"}, {"name": "conversion", "label": "conversion", "follows": "click"}]
    simulator = {
        "kind": "impressions",
        "rows": 120_000,
        "seed": 11,
        "entities": {
            "user": {"key": "user", "count": 20_000, "zipf": 0.6},
            "item": {"key": "item", "count": 5_000, "zipf": 1.0},
        },
        "features": features,
        "tasks": {"click": {"rate": 0.06}, "conversion": {"rate": 0.1, "strength": 1.2}},
    }
    return {
        "name": "many_fields",
        "spec": {"name": "many_fields", "features": fields, "tasks": tasks, "split": {"kind": "random"}},
        "simulator": simulator,
        "data": {"pattern": "impressions.csv"},
        "model": {"name": "mmoe"},
    }
