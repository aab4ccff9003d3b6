"""Runs of the page that a comparison has written before, which are not run again where the run folder is absent."""

import json
import math
import pathlib
from collections.abc import Mapping
from typing import Any

from pipelines.compare.runs.result import Result
from tfmtl.config import ConfigError

_NUMBERS = ("metrics", "scenarios", "history")
"""Fields of a result in which null stands for NaN, which JSON does not know."""


def read_published(path: pathlib.Path, data: str, *, by_scenario: bool) -> dict[str, Result]:
    """Reads the finished runs of a page.

    Args:
        path: File `results.json` of the page, which need not exist.
        data: Fingerprint of the data of the comparison.
        by_scenario: Whether the runs should have metrics by scenario; those without them are left out, as their scores
            are not part of the file.

    Returns:
        Results by the key of their jobs; none if the page is that of other data.

    Raises:
        ConfigError: If the file is not that of a comparison.
    """
    if not path.exists():
        return {}
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        if plain["data"]["fingerprint"] != data:
            return {}
        results = [_read(run) for run in plain["runs"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path}: should be the results.json that `tfmtl compare` wrote; remove it to run everything again. "
            f"Received: {type(error).__name__} {error}"
        ) from error
    return {result.job.key(data): result for result in results if result.scenarios or not by_scenario}


def _read(run: Mapping[str, Any]) -> Result:
    numbers = {name: _none_to_nan(run[name]) for name in _NUMBERS if name in run}
    return Result.from_json(json.dumps({**run, **numbers}))


def _none_to_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _none_to_nan(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_none_to_nan(entry) for entry in value]
    return math.nan if value is None else value
