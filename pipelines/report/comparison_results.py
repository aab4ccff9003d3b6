"""Reader of the `results.json` that `tfmtl compare` writes, for notebooks and programs."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from tfmtl.config import ConfigError
from tfmtl.html_tables import html_block, html_table

_PARTS = ("settings", "data", "records", "runs")
_LEVEL = 0.05


@dataclasses.dataclass(frozen=True)
class ComparisonResult:
    """Result of a comparison, which a notebook shows as one table for each output.

    Attributes:
        settings: Settings of the comparison, with its rows (`models`), seeds, reference and baselines.
        rows: Number of rows of each split.
        records: A record for each row, output and metric: `mean` and `sd` over the seeds, `values` by seed, `gain` over
            the reference, and p-value with Holm's correction (`p_holm`) against the best baseline.
        runs: Every training: its job (row, options, seed), metrics by split, history by epoch, and health.
        command: Command line.
        commit: Commit of the code that wrote the report.
        monitor: Metric on the eval split by which trials and epochs are chosen; empty in files of earlier versions.

    Example:
        >>> from pipelines.report.comparison_results import ComparisonResult
        >>> record = {"model": "mmoe", "output": "ctr", "metric": "auc", "mean": 0.74, "sd": 0.01}
        >>> result = ComparisonResult({"name": "shop"}, {"test": 100}, [record], [])
        >>> result.select("auc", "ctr")[0]["mean"]
        0.74
    """

    settings: Mapping[str, Any] = dataclasses.field(repr=False)
    rows: Mapping[str, int]
    records: Sequence[Mapping[str, Any]] = dataclasses.field(repr=False)
    runs: Sequence[Mapping[str, Any]] = dataclasses.field(repr=False)
    command: str = ""
    commit: str = ""
    monitor: str = ""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs, in the order of the spec."""
        return tuple(dict.fromkeys(record["output"] for record in self.records))

    def select(self, metric: str, output: str) -> list[dict[str, Any]]:
        """Returns the records of one metric of one output, in the order of the comparison's rows.

        Args:
            metric: Name of the metric, such as `auc`.
            output: Name of the output.
        """
        return [dict(one) for one in self.records if (one["metric"], one["output"]) == (metric, output)]

    def _repr_html_(self) -> str:
        tables = [_output_table(self, output) for output in self.outputs]
        seeds = ", ".join(str(seed) for seed in self.settings.get("seeds", ()))
        rows = ", ".join(f"{count:,} {split}" for split, count in self.rows.items())
        notes = [f"rows: {rows}; seeds: {seeds}; gain over {self.settings.get('reference', '')}"]
        return html_block(f"Comparison {self.settings['name']}", tables, notes)


def read_comparison(path: str | pathlib.Path) -> ComparisonResult:
    """Reads the result of a comparison.

    Args:
        path: File `results.json`, or the folder of the report.

    Raises:
        ConfigError: If the file is not that of a comparison.
        FileNotFoundError: If there is no such file.
    """
    path = pathlib.Path(path)
    path = path / "results.json" if path.is_dir() else path
    expected = f"{path}: should be the results.json that `tfmtl compare` wrote"
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{expected}. Received: no JSON, {error}") from error
    missing = [part for part in _PARTS if not isinstance(plain, dict) or part not in plain]
    if missing:
        raise ConfigError(f"{expected}. Received: JSON without {', '.join(missing)}")
    settings, data, records, runs = (plain[part] for part in _PARTS)
    others = {name: plain.get(name, "") for name in ("command", "commit", "monitor")}
    return ComparisonResult(settings, data["rows"], records, runs, **others)


def _output_table(result: ComparisonResult, output: str) -> str:
    records = [one for one in result.records if one["output"] == output and not one.get("scenario")]
    metrics = list(dict.fromkeys(one["metric"] for one in records))
    main = metrics[0]
    found = {(one["model"], one["metric"]): one for one in records}
    rows = []
    for model in dict.fromkeys(one["model"] for one in records):
        first = found.get((model, main), {})
        means = [_mean_text(found.get((model, metric), {})) for metric in metrics]
        rows.append([model, means[0], _gain_text(first), _p_text(first), *means[1:]])
    header = ["model", main, "gain", "p (Holm)", *metrics[1:]]
    space = records[0].get("space", "") if records else ""
    return html_table(header, rows, f"{output} on the {space} space" if space else output)


def _mean_text(record: Mapping[str, Any]) -> str:
    mean, deviation = record.get("mean"), record.get("sd")
    if mean is None:
        return ""
    return f"{mean:.4f}" + ("" if deviation is None else f" ± {deviation:.4f}")


def _gain_text(record: Mapping[str, Any]) -> str:
    gain = record.get("gain")
    return "" if gain is None else f"{gain:+.4f}"


def _p_text(record: Mapping[str, Any]) -> str:
    """Returns the corrected p-value against the best baseline, with the direction of a significant difference."""
    p = record.get("p_holm")
    if p is None:
        return ""
    direction = ("better" if record.get("better") else "worse") if p < _LEVEL else "level"
    return f"{p:.4f} {direction}"
