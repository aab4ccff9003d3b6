"""Labels of the impressions of a partition, by hand."""

import numpy as np
import pyarrow as pa
import pytest

from transforms.join.join_partition import join_partition, write_days
from transforms.join.options import AttributionOptions, EventLog, JoinOptions

MINUTE = 60_000_000


def log(name, **options):
    return EventLog(pattern=f"{name}.csv", time="time", **options)


def join_options(**options):
    logs = {name: log(name) for name in ("impressions", "clicks", "conversions")}
    logs["conversions"] = log("conversions", values=("revenue",))
    attribution = options.pop("attribution", AttributionOptions(click="10m", conversion="30m"))
    return JoinOptions(key=("user",), attribution=attribution, **{**logs, **options})


def table(*events, values=False, **columns):
    data = {".key0": pa.array([key for key, *_ in events], pa.string())}
    data[".time"] = pa.array([round(MINUTE * event[1]) for event in events], pa.int64())
    if values:
        data[".value0"] = pa.array([float(event[2]) for event in events])
    return pa.table({**data, **columns})


def joined(events, end=1000, **options):
    rows, report = join_partition(events, join_options(**options), MINUTE * end)
    return rows, report


def test_a_click_and_a_conversion_within_their_windows():
    events = {
        "impressions": table(("a", 0), ("a", 5), ("b", 6), row=pa.array([0, 1, 2])),
        "clicks": table(("a", 4), ("a", 7), ("a", 8), ("b", 17), ("c", 1), ("b", 5)),
        "conversions": table(("a", 30, 2.5), ("a", 31, 4), ("b", 20, 1), ("d", 1, 1), ("a", 3, 1), values=True),
    }
    rows, report = joined(events)
    assert rows.column("row").to_pylist() == [0, 1, 2]
    assert rows.column("click").to_pylist() == [1, 1, 0]
    assert rows.column("conversion").to_pylist() == [0, 1, 0]
    assert rows.column("revenue").to_pylist() == [0.0, 6.5, 0.0]
    times = rows.column("click_time").cast(pa.int64()).to_pylist()
    assert times == [4 * MINUTE, 7 * MINUTE, None]
    assert rows.column("conversion_time").cast(pa.int64()).to_pylist() == [None, 30 * MINUTE, None]
    assert rows.column("click_open").to_pylist() == rows.column("conversion_open").to_pylist() == [0, 0, 0]
    assert report.events["clicks"] == {
        "after the window": 1, "again": 1, "attributed": 2, "before its cause": 1, "without impression": 1,
    }  # fmt: skip
    assert report.events["conversions"] == {
        "again": 1, "attributed": 1, "before its cause": 1, "without click": 1, "without impression": 1,
    }  # fmt: skip


def test_conversions_of_the_last_impression_need_no_click():
    events = {
        "impressions": table(("a", 0), ("a", 5)),
        "clicks": table(("a", 1)),
        "conversions": table(("a", 30, 1), values=True),
    }
    to_impression = AttributionOptions(click="10m", conversion="30m", to="last_impression")
    assert joined(events)[0].column("conversion").to_pylist() == [1, 0]
    assert joined(events, attribution=to_impression)[0].column("conversion").to_pylist() == [0, 1]


@pytest.mark.parametrize(
    ("end", "click_open", "conversion_open"),
    [(9, [1, 1, 0], [1, 1, 1]), (10, [0, 1, 0], [0, 1, 1]), (20, [0, 0, 0], [0, 0, 1]), (33, [0] * 3, [0] * 3)],
)
def test_a_label_is_open_until_its_window_ends(end, click_open, conversion_open):
    """The windows end at minutes 10 and 11 without a click, and at 33 for the conversion of the click at minute 3."""
    events = {"impressions": table(("a", 0), ("b", 1), ("c", 2)), "clicks": table(("c", 3))}
    rows, _ = joined(events, end=end)
    assert rows.column("click_open").to_pylist() == click_open
    assert rows.column("conversion_open").to_pylist() == conversion_open


def test_the_window_of_a_conversion_begins_with_the_last_click():
    events = {"impressions": table(("a", 0)), "clicks": table(("a", 1), ("a", 9))}
    assert joined(events, end=35)[0].column("conversion_open").to_pylist() == [1]
    assert joined(events, end=39)[0].column("conversion_open").to_pylist() == [0]


def test_duplicates_and_events_after_the_end_are_left_out():
    events = {
        "impressions": table(("a", 0), ("a", 0), ("a", 50), row=pa.array([0, 1, 2])),
        "clicks": table(("a", 1), ("a", 1), ("a", 41)),
        "conversions": table(("a", 2, 1), ("a", 2, 1), values=True),
    }
    rows, report = joined(events, end=40)
    assert rows.column("row").to_pylist() == [0]
    assert rows.column("revenue").to_pylist() == [1.0]
    counts = {name: (one["duplicates"], one.get("after the end", 0)) for name, one in report.events.items()}
    assert counts == {"impressions": (1, 1), "clicks": (1, 1), "conversions": (1, 0)}


def test_ids_distinguish_events_of_one_time_and_show_later_duplicates():
    ids = {".id": pa.array(["x", "y", "x"])}
    events = {"impressions": table(("a", 0), ("a", 0), ("a", 7), **ids), "clicks": table(("a", 8))}
    events["impressions"] = events["impressions"].append_column("row", pa.array([0, 1, 2]))
    rows, report = joined(events)
    assert rows.column("row").to_pylist() == [0, 1]
    assert report.events["impressions"] == {"duplicates": 1}
    assert sum(rows.column("click").to_pylist()) == 1


def test_the_earliest_of_duplicates_counts_and_rows_are_in_the_order_of_time():
    ids = {".id": pa.array(["x", "y", "x", "z"]), "row": pa.array([0, 1, 2, 3])}
    events = {"impressions": table(("a", 9), ("a", 7), ("a", 3), ("a", 5), **ids)}
    rows, _ = joined(events)
    assert rows.column("row").to_pylist() == [2, 3, 1]


def test_keys_of_several_columns_are_not_joined_as_text():
    events = {
        "impressions": table(("a", 0), ("ab", 0)).append_column(".key1", pa.array(["bc", "c"])),
        "clicks": table(("ab", 1)).append_column(".key1", pa.array(["c"])),
    }
    assert joined(events)[0].column("click").to_pylist() == [0, 1]


def test_rows_are_divided_by_the_days_of_a_zone(tmp_path):
    events = {"impressions": table(("a", 0), ("b", 23 * 60), row=pa.array([0, 1]))}
    rows, _ = joined(events, end=2000)
    assert write_days(rows, str(tmp_path / "utc"), "part", "UTC") == {"1970-01-01": 2}
    assert write_days(rows, str(tmp_path / "rome"), "part", "Europe/Rome") == {"1970-01-01": 1, "1970-01-02": 1}
    assert (tmp_path / "rome" / "1970-01-02" / "part.parquet").exists()


def random_logs(seed, end):
    random = np.random.default_rng(seed)
    logs = {}
    for name, count in (("impressions", 25), ("clicks", 12), ("conversions", 10)):
        events = {(f"u{random.integers(5)}", int(random.integers(0, end + 1))): 1.0 for _ in range(count)}
        logs[name] = [(key, time, value) for (key, time), value in events.items()]
    return logs


@pytest.mark.parametrize("to", ["last_click", "last_impression"])
@pytest.mark.parametrize(("click", "conversion"), [("10m", "30m"), ("30m", "5m")])
def test_a_label_is_open_if_and_only_if_a_later_event_would_change_it(to, click, conversion):
    """The events that are tried come just after the end, when most windows still last."""
    attribution, end, opened = AttributionOptions(click=click, conversion=conversion, to=to), 60, 0

    def labels(logs, end):
        events = {name: table(*found, values=name == "conversions") for name, found in logs.items()}
        numbers = pa.array(range(events["impressions"].num_rows))
        events["impressions"] = events["impressions"].append_column("row", numbers)
        return joined(events, end=end, attribution=attribution)[0].sort_by("row")

    for seed in range(30):
        logs = random_logs(seed, end)
        before = labels(logs, end)
        may_change = {"click": set(), "conversion": set()}
        for key in {key for key, *_ in logs["impressions"]}:
            late = {"clicks": (key, end + 0.1, 1.0), "conversions": (key, end + 0.2, 1.0)}
            for added in (("clicks",), ("conversions",), ("clicks", "conversions")):
                more = {name: [*found, late[name]] if name in added else found for name, found in logs.items()}
                after = labels(more, end + 1)
                for label, rows in may_change.items():
                    pairs = zip(before.column(label).to_pylist(), after.column(label).to_pylist(), strict=True)
                    rows |= {row for row, (old, new) in enumerate(pairs) if old != new}
        for label, rows in may_change.items():
            assert set(np.flatnonzero(before.column(f"{label}_open").to_numpy())) == rows, (seed, label)
            opened += len(rows)
    assert opened > 50
