"""Healthy logs pass against each other: resamples of a simulated log, small logs, and extreme distributions."""

import dataclasses
import itertools
import pathlib

import numpy as np
import pyarrow as pa
import pytest
from tensorflow_data_validation.statistics import stats_impl

from pipelines.data_checks.check import LogSummary, check_data
from pipelines.data_checks.options import DataChecks
from pipelines.data_checks.schema import infer_schema
from pipelines.settings_file import load_settings
from tests.pipelines.data_checks.shop_statistics import SPEC, columns, summary
from transforms.batches.report import SourceReport
from transforms.ingest.ingest_files import ingest
from transforms.simulation.simulator import simulate

pytestmark = pytest.mark.long
DEMO = pathlib.Path(__file__).parents[3] / "examples" / "demo.yaml"
RESAMPLES = 20
CHECKS = DataChecks()


def read(path, spec):
    table = pa.Table.from_batches([part for batch in ingest([str(path)], spec) for part in batch.typed.values()])
    statistics = stats_impl.generate_statistics_in_memory(
        table.combine_chunks().to_batches(max_chunksize=table.num_rows)[0]
    )
    return LogSummary(statistics, SourceReport(table.num_rows, {"train": table.num_rows}))


def resamples(settings, folder, rows):
    """Returns consecutive parts of one log."""
    simulate(settings.spec, dataclasses.replace(settings.simulator, rows=rows * RESAMPLES), folder)
    header, *lines = (folder / "impressions.csv").read_text().splitlines()
    path = folder / "part.csv"
    for start in range(0, rows * RESAMPLES, rows):
        path.write_text("\n".join([header, *lines[start : start + rows]]) + "\n")
        yield read(path, settings.spec)


def alarms(spec, logs, references):
    schemas = [infer_schema(one.statistics, spec.labels, CHECKS) for one in references]
    pairs = [
        check_data(log, spec, CHECKS, schema=schema, accepted=reference)
        for log in logs
        for reference, schema in zip(references, schemas, strict=True)
        if log is not reference
    ]
    assert len(pairs) >= RESAMPLES * (RESAMPLES - 1)
    return [(one.column, one.check, one.expected, one.received) for findings in pairs for one in findings.anomalies]


def test_resamples_of_a_simulated_log_pass_against_each_other(tmp_path):
    settings = load_settings(DEMO)
    logs = {rows: list(resamples(settings, tmp_path, rows)) for rows in (2000, 50_000)}
    for log, reference in itertools.product(logs.values(), logs.values()):
        assert alarms(settings.spec, log, reference) == []


def test_small_logs_of_any_distribution_pass():
    sizes = {30: 8, 200: 8, 2500: 8}
    logs = [summary(columns(rows, seed)) for rows, count in sizes.items() for seed in range(count)]
    assert alarms(SPEC, logs, logs) == []


def test_heavy_tails_ties_and_rare_values_pass():
    def draw(rows, seed):
        rng = np.random.default_rng(seed)
        values = columns(rows, seed)
        kind = seed % 4
        prices = (rng.pareto(0.8, rows), np.full(rows, 3.0), rng.integers(0, 3, rows) * 1.0)
        zeros = np.where(rng.random(rows) < 0.95, 0, rng.lognormal(3, 2, rows))
        values["price"] = (*prices, zeros)[kind]
        values["user"] = np.char.add("u", rng.integers(0, 10**9, rows).astype(str)).astype(object)
        values["clicked"] = (rng.random(rows) < 0.0005).astype(np.int64)
        values["visits"] = rng.negative_binomial(0.3, 0.01, rows)
        values["city"] = np.where(rng.random(rows) < 0.001, values["city"], "c").astype(object)
        return kind, summary(values)

    logs = [draw(rows, seed) for rows in (30, 200, 5000) for seed in range(32)]
    for kind in range(4):
        same = [log for one, log in logs if one == kind]
        assert alarms(SPEC, same, same) == []
