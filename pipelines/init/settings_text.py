"""YAML text of settings, with the reason of each decision as a comment."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipelines.init.features import ColumnDecision
from tfmtl.config import dump_yaml, to_plain
from tfmtl.splits import RandomSplit, TimeSplit
from tfmtl.tasks import Task
from transforms.readers.log_format import LogFormat

_COMMENT_COLUMN = 64


def settings_text(
    command: str,
    name: str,
    decisions: Sequence[ColumnDecision],
    tasks: Sequence[Task],
    split: RandomSplit | TimeSplit,
    data: Mapping[str, Any],
    log_format: LogFormat,
    model: Mapping[str, Any],
    training: Mapping[str, Any],
    thresholds: Mapping[str, Any],
    notes: Iterable[str] = (),
    scenario: str | None = None,
    group_key: str | None = None,
) -> str:
    """Returns the text of a settings file.

    Args:
        command: Command that writes the file.
        name: Name of the pipeline and of the dataset.
        decisions: Decisions about the columns.
        tasks: Tasks.
        split: Split.
        data: Path and pattern of the log.
        log_format: Format of the log, with the names of its columns.
        model: Model and its options.
        training: Settings of the training; empty for the defaults.
        thresholds: Thresholds by output.
        notes: Sentences for the header.
        scenario: Name of the scenario.
        group_key: Name of the group key.
    """
    lines = [f"# Written by: {command}", *(f"# {note}" for note in notes), f"name: {_flow(name)}", "spec:"]
    lines += [f"  name: {_flow(name)}", "  features:"]
    lines += [_commented(f"    - {_flow(to_plain(one.feature))}", one.reason) for one in decisions if one.feature]
    left_out = [one for one in decisions if one.feature is None]
    if left_out:
        lines.append("    # Not used:")
        width = max(len(one.column.name) for one in left_out)
        lines += [f"    #   {one.column.name:{width}}  {one.reason}" for one in left_out]
    lines.append("  tasks:")
    lines += [f"    - {_flow(_task(task))}" for task in tasks]
    lines += [f"  {key}: {value}" for key, value in (("scenario", scenario), ("group_key", group_key)) if value]
    lines.append(f"  split: {_flow(to_plain(split))}")
    lines += _section("data", {**data, **to_plain(log_format)})
    lines += _section("model", model) + _section("training", training) + _section("thresholds", thresholds)
    return "\n".join(lines) + "\n"


def _task(task: Task) -> dict[str, Any]:
    plain: dict[str, Any] = to_plain(task)
    for key, default in (("kind", "binary"), ("output", task.name)):
        if plain.get(key) == default:
            del plain[key]
    if plain.get("conditional_output") == f"{task.name}_given_{task.follows}":
        del plain["conditional_output"]
    return plain


def _section(name: str, values: Mapping[str, Any]) -> list[str]:
    return [f"{name}:", *(f"  {_flow(key)}: {_flow(value)}" for key, value in values.items())] if values else []


def _flow(value: Any) -> str:
    """Returns a value as YAML on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    text = dump_yaml([value]).strip().removeprefix("- ").strip()
    needs_quotes = isinstance(value, str) and any(sign in text for sign in ",[]{}") and text[:1] not in "'\""
    return f"'{value}'" if needs_quotes else text


def _commented(line: str, comment: str) -> str:
    return f"{line:{_COMMENT_COLUMN}}  # {comment}"
