"""Windows of daily rows: agreement with plain Python, no use of later days, and counts of rejected rows."""

import collections
import csv
import dataclasses
import datetime

import numpy as np
import pytest

from tfmtl.config import FieldError
from tfmtl.features import CategoricalFeature, NumberSequenceFeature
from tfmtl.spec import DatasetSpec, Task, TimeSplit
from transforms.panels import daily as daily_panels
from transforms.panels.window_options import Attributes, WindowOptions
from transforms.panels.windows import GAP, UNRECORDED, WINDOWS, write_windows

FIRST, DAYS = datetime.date(2024, 2, 20), 40  # Over the end of a leap year's February.
SPEC = DatasetSpec(
    "panels",
    features=(
        CategoricalFeature("kind", required=True),
        CategoricalFeature("town"),
        NumberSequenceFeature("views", max_length=5),
        NumberSequenceFeature("pays", max_length=5),
    ),
    tasks=(Task("next_pay", "pay_4d", kind="count"), Task("next_view", "view_4d", kind="count")),
    scenario="kind",
    group_key="shop",
    split=TimeSplit("date", eval_from="2024-03-15", test_from="2024-03-22"),
)
OPTIONS = WindowOptions(
    daily="daily.csv",
    entity="id",
    date="day",
    series={"views": "view", "pays": "pay"},
    targets={"pay_4d": "pay", "view_4d": "view"},
    horizon=4,
    step=3,
    begins={"view": "2024-02-25"},
    attributes=Attributes(
        "shops.csv", "id", {"kind": "type", "town": "place"}, {"kind": {"a": "first", "b": "second"}}
    ),
)
KINDS = {"1": "first", "2": "second", "3": "other", "4": "first"}


def day(number):
    return (FIRST + datetime.timedelta(number)).isoformat()


def daily(seed=0):
    """Pays and views by shop and day; shop 3 begins late, and some days of shop 4 are missing."""
    rng = np.random.default_rng(seed)
    found = {}
    for shop, first in (("1", 0), ("2", 3), ("3", 17), ("4", 0)):
        for number in range(first, DAYS):
            if shop != "4" or number in (0, DAYS - 1) or rng.random() < 0.6:
                found[shop, number] = (int(rng.integers(0, 50)), int(rng.integers(0, 9)) if number >= 5 else None)
    return found


def write(folder, rows, extra=""):
    folder.mkdir(exist_ok=True)
    lines = [f"{shop},{day(n)},{pay},{'' if view is None else view}" for (shop, n), (pay, view) in rows.items()]
    (folder / "daily.csv").write_text("id,day,pay,view\n" + "\n".join(lines) + "\n" + extra)
    (folder / "shops.csv").write_text("id,type,place\n1,a,Rome\n2,b,\n3,c,Oslo\n4,a,Bonn\n")
    return folder


def read(folder):
    with open(folder / WINDOWS, encoding="utf-8", newline="") as file:
        return {(row["shop"], row["date"]): row for row in csv.DictReader(file)}


def expected(rows):
    """The windows of `OPTIONS`, computed by loops."""
    found = {}
    for shop in KINDS:
        first = min(number for one, number in rows if one == shop)

        def value(number, column, shop=shop, first=first):
            if number < first or (column == 1 and number < 5):
                return None
            return rows.get((shop, number), (0, 0))[column] or 0

        for at in range(1, DAYS - 4 + 1, 3):
            future = [day(number) for number in range(at, at + 4)]
            labels = [[value(number, column) for number in range(at, at + 4)] for column in (0, 1)]
            crosses = any(day(at) < bound <= future[-1] for bound in ("2024-03-15", "2024-03-22"))
            if at <= first or crosses or None in labels[1]:
                continue
            past = [number for number in range(at - 5, at) if number >= first]
            texts = [["" if value(n, c) is None else str(value(n, c)) for n in past] for c in (0, 1)]
            sums = {"pay_4d": str(sum(labels[0])), "view_4d": str(sum(labels[1]))}
            found[shop, day(at)] = {"pays": "|".join(texts[0]), "views": "|".join(texts[1]), **sums}
    return found


def split_of(date):
    return "train" if date < "2024-03-15" else "eval" if date < "2024-03-22" else "test"


def test_windows_agree_with_plain_python(tmp_path):
    rows = daily()
    report, rejects = write_windows(SPEC, OPTIONS, write(tmp_path / "raw", rows), tmp_path / "out")
    found, windows = read(tmp_path / "out"), expected(rows)
    assert set(found) == set(windows)
    for key, row in windows.items():
        assert {name: found[key][name] for name in row} == row, key
        assert found[key]["kind"] == KINDS[key[0]]
    assert {row["town"] for (shop, _), row in found.items() if shop == "2"} == {""}
    assert rejects == []
    assert (report.entities, report.days, report.rejected) == (4, len(rows), {})
    splits = collections.Counter(
        "train" if d < "2024-03-15" else "eval" if d < "2024-03-22" else "test" for _, d in found
    )
    assert report.windows == splits
    assert all(splits.values())
    assert report.left_out[GAP] > 0
    assert report.left_out[UNRECORDED] > 0


@pytest.mark.parametrize("changed", [8, 20, DAYS - 8])
def test_features_do_not_depend_on_days_from_the_date_on(tmp_path, changed):
    """The features of the windows up to a date remain equal if all numbers from that date on change."""
    rows, other = daily(), daily()
    for (shop, number), (_, view) in rows.items():
        if number >= changed:
            other[shop, number] = (777, None if view is None else 888)
    for name, these in (("one", rows), ("other", other)):
        write_windows(SPEC, OPTIONS, write(tmp_path / name, these), tmp_path / f"{name}_out")
    one, two = read(tmp_path / "one_out"), read(tmp_path / "other_out")
    before = [key for key in one if key[1] <= day(changed)]
    assert before
    for key in before:
        for name in ("views", "pays", "kind", "town"):
            assert one[key][name] == two[key][name]
    after = [key for key in one if key[1] > day(changed)]
    assert any("777" in two[key]["pays"] for key in after)


def test_no_label_reaches_the_next_split(tmp_path):
    write_windows(SPEC, OPTIONS, write(tmp_path / "raw", daily()), tmp_path / "out")
    for _, date in read(tmp_path / "out"):
        last = (datetime.date.fromisoformat(date) + datetime.timedelta(3)).isoformat()
        for bound in ("2024-03-15", "2024-03-22"):
            assert (date < bound) == (last < bound)


def test_missing_days_are_empty_in_sequences_and_exclude_labels(tmp_path):
    rows = daily()
    options = dataclasses.replace(OPTIONS, absent="missing")
    report, _ = write_windows(SPEC, options, write(tmp_path / "raw", rows), tmp_path / "out")
    found = read(tmp_path / "out")
    sequences = [row["pays"] for (shop, _), row in found.items() if shop == "4"]
    assert all(len(text.split("|")) <= 5 for text in sequences)
    assert any("" in text.split("|") for text in sequences)
    for shop, date in found:
        start = (datetime.date.fromisoformat(date) - FIRST).days
        assert all((shop, number) in rows for number in range(start, start + 4))
    assert report.left_out[UNRECORDED] > 0


def test_invalid_rows_are_rejected_with_line_and_reason(tmp_path):
    rows = daily()
    invalid = ["1,2024-02-20,5,1", "9,2024-02-20,5,1", "1,20.2.2024,5,1", "1,2024-13-01,5,1", "1,2024-03-30,much,1"]
    invalid += ["1,2024-03-30,-1,1", ",2024-03-30,1,1", "1,2024-03-30,1", "1,2024-02-30,7,7"]
    raw = write(tmp_path / "raw", rows, "\n".join(invalid) + "\n")
    report, rejects = write_windows(SPEC, OPTIONS, raw, tmp_path / "out")
    line = len(rows) + 2
    assert {(reject.line - line, reject.reason) for reject in rejects} == {
        (0, "duplicate_day"),
        (1, "unknown_key"),
        (2, "invalid_time"),
        (3, "invalid_time"),
        (4, "not_a_number"),
        (5, "not_a_number"),
        (6, "missing_required"),
        (7, "wrong_column_count"),
        (8, "invalid_time"),
    }
    assert sum(report.rejected.values()) == len(invalid)
    assert read(tmp_path / "out").keys() == expected(rows).keys()


def test_chunks_of_entities_give_the_same_windows(tmp_path, monkeypatch):
    raw = write(tmp_path / "raw", daily())
    report, _ = write_windows(SPEC, OPTIONS, raw, tmp_path / "all")
    done = []
    monkeypatch.setattr(daily_panels, "_CELLS", 2 * 5 * (DAYS // 3))
    chunked, _ = write_windows(SPEC, OPTIONS, raw, tmp_path / "chunks", done.append)
    assert done == [2, 4]
    assert chunked == report
    assert (tmp_path / "chunks" / WINDOWS).read_bytes() == (tmp_path / "all" / WINDOWS).read_bytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"series": {"view": "view"}}, "series.*view.*number_sequence"),
        ({"targets": {"pay_4d": "pay"}}, "view_4d"),
        ({"attributes": None}, "kind"),
        ({"begins": {"clicks": "2024-01-01"}}, "begins"),
        ({"begins": {"view": "yesterday"}}, "begins"),
        ({"horizon": 0}, "horizon"),
    ],
)
def test_rejects_options_that_do_not_fit_the_spec(tmp_path, changes, message):
    with pytest.raises(FieldError, match=message):
        write_windows(SPEC, dataclasses.replace(OPTIONS, **changes), tmp_path, tmp_path / "out")


def test_an_interrupted_writer_leaves_the_existing_file(tmp_path):
    raw, out = write(tmp_path / "raw", daily()), tmp_path / "out"
    write_windows(SPEC, OPTIONS, raw, out)
    before = (out / WINDOWS).read_bytes()

    def interrupt(entities):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_windows(SPEC, dataclasses.replace(OPTIONS, step=1), raw, out, interrupt)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {WINDOWS: before}


def test_no_file_is_written_without_daily_rows(tmp_path):
    report, _ = write_windows(SPEC, OPTIONS, write(tmp_path / "raw", {}), tmp_path / "out")
    assert (report.windows, report.entities, report.days) == ({}, 0, 0)
    assert list((tmp_path / "out").iterdir()) == []
