"""Simulator of a warehouse: logs of impressions, clicks and conversions by day, and the truth of each impression."""

import contextlib
import pathlib
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tfmtl.spec import DatasetSpec
from transforms.batches.columns import raw_columns
from transforms.batches.csv_writer import CsvFile
from transforms.simulation.draws import Draws
from transforms.simulation.event_options import IMPRESSION, TIME, EventOptions, check_event_options
from transforms.simulation.log_writer import LogChunk
from transforms.simulation.options import SimulatorOptions, check_options
from transforms.simulation.simulator import CHUNK_ROWS, draw_chunks
from transforms.simulation.world import World

TRUTH = "truth.parquet"
"""Name of the file with the times of each impression's events, whether they are in the logs or not."""
_HOUR, _DAY = 3_600_000, 86_400_000
_MAX_EARLY = _HOUR


def simulate_events(spec: DatasetSpec, options: SimulatorOptions, directory: str | pathlib.Path) -> None:
    """Writes `impressions/DAY.csv`, `TASK/DAY.csv` for each task, and `truth.parquet`.

    An impression has the columns of the spec but the labels, `impression_id` and `time`; another event has
    `impression_id`, `event_id` and `time`. A day has the events that happened on it, in the order of the impressions.
    The truth has for each impression its time, the times of its events (null without one), and the true value of each
    output of the spec.

    Args:
        spec: Spec of the dataset.
        options: Distributions of entities, features, tasks and events.
        directory: Folder to write to, which is created if it does not exist.

    Raises:
        FieldError: If the options do not fit the spec.
    """
    assert options.events is not None
    check_options(spec, options)
    check_event_options(spec, options.events)
    folder = pathlib.Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    start = 0
    with contextlib.ExitStack() as stack:
        logs = {name: stack.enter_context(_DailyLog(folder / name)) for name in ("impressions", *options.tasks)}
        truth: pq.ParquetWriter | None = None
        for chunk in draw_chunks(World(spec, options)):
            rows = len(next(iter(chunk.labels.values())))
            draws = Draws(options.seed, "events", start, start + rows)
            times = _times(spec, options.events, chunk, draws)
            known = _write_chunk(spec, options.events, chunk, draws, times, logs)
            if truth is None:
                truth = stack.enter_context(pq.ParquetWriter(folder / TRUTH, known.schema))
            truth.write_table(known)
            start += CHUNK_ROWS


def _times(spec: DatasetSpec, options: EventOptions, chunk: LogChunk, draws: Draws) -> dict[str, np.ndarray]:
    """Draws the times of the impressions, and those of the events by task, 0 without one."""
    first = int(np.datetime64(options.begin, "ms").astype(np.int64))
    shown = first + (draws.uniform("time")[:, 0] * options.days * _DAY).astype(np.int64)
    times = {"impressions": shown}
    for task in spec.tasks:
        delay = (-np.log1p(-draws.uniform(f"delay/{task.name}")[:, 0]) * options.delays[task.name] * _HOUR) + 1
        cause = times[task.follows or "impressions"]
        times[task.name] = np.where(chunk.labels[task.name] == 1, cause + delay.astype(np.int64), 0)
    return times


def _write_chunk(
    spec: DatasetSpec,
    options: EventOptions,
    chunk: LogChunk,
    draws: Draws,
    times: Mapping[str, np.ndarray],
    logs: Mapping[str, "_DailyLog"],
) -> pa.Table:
    """Writes the events of some impressions, and returns their truth."""
    end = int(np.datetime64(options.begin, "ms").astype(np.int64)) + options.days * _DAY
    ids = pa.array(np.char.add("i", np.arange(draws.start, draws.stop).astype(str)))
    columns = {name: chunk.columns[name] for name in raw_columns(spec) if name in chunk.columns}
    columns |= {IMPRESSION: ids, TIME: pa.array(times["impressions"])}
    _write(logs["impressions"], pa.table(columns), times["impressions"], draws, "impressions", options, end)
    for task in spec.tasks:
        events = times[task.name]
        kept = events > 0
        parts = [(ids.filter(pa.array(kept)), events[kept])]
        if task.follows is None:
            early = (draws.uniform("early")[:, 0] < options.early) & ~kept
            before = times["impressions"] - 1 - (draws.uniform("before")[:, 0] * _MAX_EARLY).astype(np.int64)
            parts.append((ids.filter(pa.array(early)), before[early]))
        orphans = draws.uniform(f"orphans/{task.name}")[:, 0] < options.orphans
        strangers = pa.array(np.char.add("x", np.arange(draws.start, draws.stop).astype(str)))
        parts.append((strangers.filter(pa.array(orphans)), times["impressions"][orphans] + 1))
        moments = np.concatenate([time for _, time in parts])
        keys = pa.concat_arrays([key for key, _ in parts])
        table = pa.table({IMPRESSION: keys, "event_id": _event_ids(keys, moments), TIME: pa.array(moments)})
        _write(logs[task.name], table, moments, draws, task.name, options, end)
    known = {name: pa.array(time, mask=time == 0) for name, time in times.items()}
    truth = {name: pa.array(values) for name, values in chunk.truth.items()}
    return pa.table({IMPRESSION: ids, **known, **{f"true_{name}": values for name, values in truth.items()}})


def _event_ids(keys: pa.Array, times: np.ndarray) -> pa.Array:
    return pc.binary_join_element_wise(keys, pa.array(times).cast(pa.string()), "-")


def _write(
    log: "_DailyLog", table: pa.Table, times: np.ndarray, draws: Draws, name: str, options: EventOptions, end: int
) -> None:
    """Writes the events before the end of the logs, some of them twice."""
    random = np.random.default_rng([draws.seed, draws.start, len(name)])
    doubled = np.flatnonzero(random.random(len(times)) < options.duplicates)
    rows = np.concatenate([np.arange(len(times)), doubled])
    rows = rows[times[rows] < end]
    log.write(table.take(pa.array(rows)), times[rows] // _DAY)


class _DailyLog:
    """CSV files by day, `YYYY-MM-DD.csv`; a context manager."""

    def __init__(self, folder: pathlib.Path):
        self._folder = folder
        self._files = contextlib.ExitStack()
        self._by_day: dict[int, CsvFile] = {}

    def __enter__(self) -> "_DailyLog":
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *error: object) -> None:
        self._files.close()

    def write(self, table: pa.Table, days: np.ndarray) -> None:
        """Writes each row to the file of its day, in days since 1970."""
        for day, rows in _by_value(days):
            if day not in self._by_day:
                path = self._folder / f"{np.datetime64(day, 'D')}.csv"
                self._by_day[day] = self._files.enter_context(CsvFile(path))
            self._by_day[day].write(table.take(pa.array(rows)))


def _by_value(values: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    order = np.argsort(values, kind="stable")
    found, starts = np.unique(values[order], return_index=True)
    yield from zip(found.tolist(), np.split(order, starts[1:]), strict=True)
