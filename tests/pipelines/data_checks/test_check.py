"""Each anomaly is found by the name of its column, from a schema, from the last accepted log, and by its kind only."""

import dataclasses
import functools

import numpy as np
import pytest

from pipelines.data_checks.anomalies import ROWS as ALL_ROWS
from pipelines.data_checks.anomalies import Anomaly, DataError, Findings, data_error
from pipelines.data_checks.check import check_data
from pipelines.data_checks.options import DataChecks
from pipelines.data_checks.schema import infer_schema
from tests.pipelines.data_checks.shop_statistics import ROWS, SPEC, columns, summary
from tfmtl.config import FieldError

CHECKS = DataChecks()
NORMAL = columns(seed=1)


@functools.cache
def normal():
    return summary(NORMAL)


def changed(**new):
    values = columns(seed=2)
    return {**values, **{name: change(values[name]) for name, change in new.items()}}


def renamed(prefix):
    return lambda column: [value and prefix + value for value in column]


def empty(column):
    return [None] * len(column)


def where(share, other):
    """Replaces a share of the rows."""
    return lambda column: [other if i % 100 < 100 * share else value for i, value in enumerate(column)]


# Log, and the columns and checks of its anomalies: with a schema, and with the last accepted log.
CASES = {
    "scenarios renamed": (changed(scenario=renamed("new_")), {("scenario", "max_unknown")}, None),
    "one scenario renamed": (
        changed(scenario=lambda c: np.where(c == "banner", "banners", c)),
        {("scenario", "max_unknown")},
        None,
    ),
    "cities renamed": (changed(city=renamed("city ")), {("city", "max_unknown")}, None),
    "prices times 1000": (changed(price=lambda c: 1000 * c), {("price", "max_out_of_range")}, None),
    "prices divided by 1000": (changed(price=lambda c: c / 1000), {("price", "max_out_of_range")}, None),
    "prices times 30": (changed(price=lambda c: 30 * c), None, {("price", "max_number_drift")}),
    "ids in another form": (changed(user=renamed("0")), set(), {("user", "min_known")}),
    "one user in most rows": (changed(user=where(0.6, "u1")), set(), {("user", "max_drift")}),
    "scenarios in other shares": (changed(scenario=where(0.6, "banner")), set(), {("scenario", "max_drift")}),
    "90 % positive": (changed(clicked=where(0.9, 1)), {("clicked", "max_label_odds")}, None),
    "rate tripled": (changed(clicked=where(0.4, 1)), {("clicked", "max_label_odds")}, None),
    "no positive": (changed(clicked=where(1, 0)), {("clicked", "max_label_odds")}, None),
    "counts times 5": (changed(visits=lambda c: 5 * c), {("visits", "max_label_odds")}, None),
    "counts of another shape": (
        changed(visits=lambda c: np.where(np.arange(len(c)) % 10 == 0, 20, 0)),
        set(),
        {("visits", "max_number_drift")},
    ),
    "two empty columns": (
        changed(age=empty, city=empty),
        {("age", "max_missing_change"), ("city", "max_missing_change")},
        None,
    ),
    "a third without a value": (changed(price=where(0.3, None)), {("price", "max_missing_change")}, None),
    "no value missing any more": (
        changed(age=lambda c: ["30" if v is None else v for v in c]),
        set(),
        {("age", "max_missing_change")},
    ),
    "lists and weights empty": (
        changed(tags=empty, tag_weights=empty),
        {("tags", "max_missing_change"), ("tag_weights", "max_missing_change")},
        None,
    ),
}


def found(findings):
    return {(one.column, one.check) for one in findings.anomalies}


@pytest.mark.parametrize("name", CASES)
def test_anomalies(name):
    values, by_schema, by_log = CASES[name]
    log, accepted = summary(values), normal()
    schema = infer_schema(accepted.statistics, SPEC.labels, CHECKS)
    if by_schema is not None:
        assert found(check_data(log, SPEC, CHECKS, schema=schema)) == by_schema
    by_log = by_schema if by_log is None else by_log
    assert found(check_data(log, SPEC, CHECKS, accepted=accepted)) == by_log
    assert found(check_data(log, SPEC, CHECKS, schema=schema, accepted=accepted)) == by_log


@pytest.mark.parametrize(
    ("rejected", "before", "expected"),
    [(0.6, None, "max_rejected"), (0.1, None, None), (0.15, 0.01, "max_rejected_rise"), (0.15, 0.14, None)],
)
def test_rejected_rows(rejected, before, expected):
    values = columns(seed=2)
    log = summary(values, int(rejected / (1 - rejected) * ROWS))
    accepted = None if before is None else summary(NORMAL, int(before / (1 - before) * ROWS))
    findings = check_data(log, SPEC, CHECKS, accepted=accepted)
    assert found(findings) == ({(ALL_ROWS, expected)} if expected else set())
    if expected:
        assert f"{rejected:.1%}" in findings.anomalies[0].received
        assert "invalid_label" in findings.anomalies[0].received


def test_new_dropped_and_retyped_columns():
    schema = infer_schema(normal().statistics, SPEC.labels, CHECKS)
    values = columns(seed=2)
    values["town"] = values.pop("city")
    values["price"] = [str(int(price)) for price in values["price"]]
    findings = check_data(summary(values), SPEC, CHECKS, schema=schema)
    assert found(findings) == {("town", "type"), ("city", "type"), ("price", "type")}
    by_column = {one.column: one for one in findings.anomalies}
    assert (by_column["price"].expected, by_column["price"].received) == ("FLOAT", "BYTES")


def test_a_first_run_warns_and_refuses_only_rejected_rows():
    values = changed(age=empty, city=empty, clicked=where(0.9, 1), visits=where(1, 0))
    findings = check_data(summary(values, rejected=9 * ROWS), SPEC, CHECKS)
    assert found(findings) == {(ALL_ROWS, "max_rejected")}
    assert {one.column for one in findings.warnings} == {"age", "city", "clicked", "visits"}
    assert check_data(summary(columns()), SPEC, CHECKS) == Findings()


@pytest.mark.parametrize("name", [name for name, (_, by_schema, _) in CASES.items() if by_schema])
def test_each_check_can_be_turned_off(name):
    values, by_schema, _ = CASES[name]
    log, schema = summary(values), infer_schema(normal().statistics, SPEC.labels, CHECKS)
    off = dataclasses.replace(CHECKS, **{check: None for _, check in by_schema})
    assert found(check_data(log, SPEC, off, schema=schema)) == set()
    ignored = dataclasses.replace(CHECKS, ignore=tuple(column for column, _ in by_schema))
    assert found(check_data(log, SPEC, ignored, schema=schema)) == set()
    assert check_data(log, SPEC, DataChecks(enabled=False), schema=schema) == Findings()


@pytest.mark.parametrize("rows", [30, 2000])
def test_healthy_logs_of_any_size_pass(rows):
    logs = [summary(columns(rows, seed)) for seed in range(3)]
    schema = infer_schema(normal().statistics, SPEC.labels, CHECKS)
    for log in logs:
        assert found(check_data(log, SPEC, CHECKS, schema=schema, accepted=logs[0])) == set()
        of_small_log = infer_schema(log.statistics, SPEC.labels, CHECKS)
        assert found(check_data(normal(), SPEC, CHECKS, schema=of_small_log, accepted=log)) == set()


def test_a_stricter_bound_refuses_what_the_default_passes():
    log, accepted = summary(changed(scenario=where(0.12, "banner"))), normal()
    assert found(check_data(log, SPEC, CHECKS, accepted=accepted)) == set()
    strict = dataclasses.replace(CHECKS, max_drift=0.02, standard_errors=2)
    assert found(check_data(log, SPEC, strict, accepted=accepted)) == {("scenario", "max_drift")}


def test_findings_survive_json_and_the_error_names_columns():
    one = Anomaly("city", "max_unknown", "at most 2.0%", "97.0%", "Look.")
    findings = Findings((one,), (one,), ("a note",))
    assert Findings.from_json(findings.to_json()) == findings
    error = data_error(findings)
    assert isinstance(error, DataError)
    assert str(error).splitlines()[1] == "  city: expected at most 2.0%. Received: 97.0%. Look."


@pytest.mark.parametrize(
    "options", [{"max_drift": 2}, {"max_rejected": -0.1}, {"max_label_odds": 0.5}, {"requests": ""}]
)
def test_wrong_bounds_are_refused(options):
    with pytest.raises(FieldError, match=next(iter(options))):
        DataChecks(**options)
