"""Logs of many features, and of long lists of tokens, with the settings that train on them."""

import pathlib
from typing import Any

import numpy as np
import yaml

LOG = "log.csv"
_BLOCK = 20_000


def settings(features: int, max_ids: int = 0) -> dict[str, Any]:
    """Returns the settings of a log, nine tenths of whose features are tokens and the others numbers.

    Args:
        features: Number of features that are no lists.
        max_ids: Largest number of tokens of a list; 0 for a log without lists.
    """
    fields: list[dict[str, Any]] = [{"name": name, "kind": kind} for name, kind in _columns(features).items()]
    if max_ids:
        fields.append({"name": "tokens", "kind": "multi_valued", "max_length": max_ids})
    tasks = [{"name": "click", "label": "click"}, {"name": "conversion", "label": "conversion", "follows": "click"}]
    return {
        "name": "wide",
        "spec": {"name": "wide", "features": fields, "tasks": tasks, "split": {"kind": "random"}},
        "data": {"pattern": LOG},
        "model": {"name": "shared_bottom"},
        "training": {"batch_size": 1024, "max_epochs": 2},
    }


def write(folder: pathlib.Path, rows: int, features: int, max_ids: int = 0) -> pathlib.Path:
    """Writes a log and its settings.

    The lengths of the lists follow a geometric distribution with a mean of about a seventh of the largest.

    Args:
        folder: Folder of the log, which has to exist.
        rows: Number of rows.
        features: Number of features that are no lists.
        max_ids: Largest number of tokens of a list; 0 for a log without lists.

    Returns:
        The file of the settings.
    """
    columns, rng = _columns(features), np.random.default_rng(7)
    with (folder / LOG).open("w", encoding="ascii") as file:
        file.write(",".join([*columns, *(["tokens"] if max_ids else []), "click", "conversion"]) + "\n")
        for start in range(0, rows, _BLOCK):
            _write_block(file, rng, min(_BLOCK, rows - start), columns, max_ids)
    path = folder / "settings.yaml"
    path.write_text(yaml.safe_dump(settings(features, max_ids), sort_keys=False), encoding="utf-8")
    return path


def _columns(features: int) -> dict[str, str]:
    """Returns the kind of each feature that is no list."""
    numbers = features // 10
    return {f"f{i}": "numerical" if i < numbers else "categorical" for i in range(features)}


def _write_block(file: Any, rng: np.random.Generator, rows: int, columns: dict[str, str], max_ids: int) -> None:
    cells, signal = [], np.zeros(rows)
    for i, kind in enumerate(columns.values()):
        size = 10 * (1 + i % 50)
        codes = (size * rng.random(rows) ** 2).astype(int)
        signal += np.sin(codes * (i + 1)) / np.sqrt(len(columns))
        prefix = "" if kind == "numerical" else f"v{i}_"
        cells.append([f"{prefix}{code}" for code in codes.tolist()])
    if max_ids:
        lengths = np.minimum(rng.geometric(min(1.0, 7 / max_ids), rows), max_ids)
        tokens = (5000 * rng.random(int(lengths.sum())) ** 2).astype(int).tolist()
        ends = np.cumsum(lengths).tolist()
        cells.append(["|".join(f"t{token}" for token in tokens[a:b]) for a, b in zip([0, *ends], ends, strict=False)])
    click = rng.random(rows) < 1 / (1 + np.exp(1.5 - signal))
    conversion = click & (rng.random(rows) < 1 / (1 + np.exp(1.0 - signal)))
    cells += [click.astype(int).astype(str).tolist(), conversion.astype(int).astype(str).tolist()]
    file.writelines(",".join(row) + "\n" for row in zip(*cells, strict=True))
