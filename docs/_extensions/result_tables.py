"""Results of a model, from the files that `tfmtl compare` wrote beside its pages."""

import json
import pathlib
from collections.abc import Iterator
from typing import Any

from markdown import MarkdownDirective, table
from sphinx.application import Sphinx

RESULTS = pathlib.Path(__file__).parents[1] / "results"
_METRICS = ("auc", "nmae")
"""Metrics of binary and of count tasks that a table shows."""
_FORMER = {"previous": "conditional"}
"""Names of spaces in files that were written before a space was renamed."""


class ResultTable(MarkdownDirective):
    """One line for each comparison and output that has the model: its mean, and that of the best baseline."""

    required_arguments = 1

    def markdown(self) -> str:
        rows = [row for path in sorted(RESULTS.glob("*/results.json")) for row in _rows(path, self.arguments[0])]
        for path in RESULTS.glob("*/results.json"):
            self.env.note_dependency(str(path))
        header = ["comparison", "output", "mean", "best baseline", "p (Holm)"]
        return table(header, rows) if rows else "No comparison has this model yet."


def _rows(path: pathlib.Path, model: str) -> Iterator[list[str]]:
    content = json.loads(path.read_text(encoding="utf-8"))
    link = f"[{path.parent.name}](/results/{path.parent.name}/results.md)"
    for record in content["records"]:
        name = record["model"]
        if (name == model or name.startswith(f"{model}_")) and record["metric"] in _METRICS:
            space = _FORMER.get(record["space"], record["space"])
            row = link if name == model else f"{link}: {name.removeprefix(f'{model}_').replace('_', ' ')}"
            yield [row, f"`{record['output']}`, {space}", *_values(record, content)]


def _values(record: dict[str, Any], content: dict[str, Any]) -> tuple[str, str, str]:
    """Returns the mean of a row, that of the best baseline on the same output, and what the test says."""
    peers = [r for r in content["records"] if all(r[k] == record[k] for k in ("task", "output", "space", "metric"))]
    best = next((r for r in peers if r["model"] == record["best_baseline"]), None)
    against = f"{best['mean']:.4f} ({best['model']})" if best else ""
    p = record["p_holm"] if record["p_holm"] is not None else record["p"]
    verdict = "" if p is None else f"{p:.3f}"
    if p is not None and p < 0.05:
        verdict += ", better" if record["better"] else ", worse"
    return _number(record), against, verdict


def _number(record: dict[str, Any]) -> str:
    spread = f"\u00a0±\u00a0{record['sd']:.4f}" if record.get("sd") is not None else ""
    return f"{record['mean']:.4f}{spread}"


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("results-of", ResultTable)
    return {"parallel_read_safe": True}
