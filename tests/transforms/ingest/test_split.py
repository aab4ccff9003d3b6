"""Splits of rows: by a hash, compared with pyfarmhash, and by time."""

import datetime

import farmhash
import numpy as np
import pyarrow as pa
import pytest

from tfmtl.features import CategoricalFeature, MultiValuedFeature, NumberSequenceFeature, NumericalFeature
from tfmtl.spec import DatasetSpec, GivenSplit, RandomSplit, Task, TimeSplit
from transforms.batches.raw_batch import SPLITS, RawBatch
from transforms.ingest.split import assign, split_key
from transforms.validation.validate import validate

LABEL = Task("click", "click")
CLICKS = NumericalFeature("clicks")


def validated(split, features=None, **columns):
    """A spec and accepted rows; by default all columns are categorical features."""
    arrays = {
        name: pa.array(values, pa.string() if set(map(type, values)) <= {str, type(None)} else None)
        for name, values in columns.items()
    }
    features = features or tuple(CategoricalFeature(name) for name in columns)
    rows = len(next(iter(columns.values())))
    table = pa.table({**arrays, "click": pa.array(["1"] * rows, pa.string())})
    spec = DatasetSpec("log", features, (LABEL,), split=split)
    return spec, validate(RawBatch(table, np.arange(rows) + 2, "log.csv"), spec)


def names(split, features=None, **columns):
    return [SPLITS[i] for i in assign(*validated(split, features, **columns))]


def keys(split, features=None, **columns):
    return [
        key.decode() for key in split_key(*validated(split, features, **columns), split.key, split.salt).to_pylist()
    ]


def expected(split, texts):
    """Splits by the formula: eval has the first share of the buckets, test the next, train the rest."""
    shares = [farmhash.fingerprint64(text) % 1_000_000 / 1_000_000 for text in texts]
    return ["eval" if s < split.eval else "test" if s < split.eval + split.test else "train" for s in shares]


def test_splits_of_fixed_keys():
    split = RandomSplit(key=("user",), eval=0.2, test=0.3)
    users = ["1", "2", "3", "4", "5", "6", "8", None]
    assert names(split, user=users) == ["test", "train", "train", "test", "train", "test", "train", "test"]


def test_key_consists_of_lengths_and_values():
    split = RandomSplit(key=("user", "day"), salt="s")
    found = keys(split, day=["Mo", None, "x:"], user=["17", "é", "3"], other=["a", "b", "c"])
    assert found == ["s2:172:Mo", "s2:é-", "s1:32:x:"]


def test_no_key_means_all_columns_by_name():
    assert keys(RandomSplit(), d=["2"], a=["1"]) == ["1:11:11:2"]  # a, click, d.


def test_keys_differ_if_only_their_joined_values_are_equal():
    found = keys(RandomSplit(key=("a", "b")), a=["1", "11", "", None], b=["12", "2", "x", "x"])
    assert len(set(found)) == 4


def test_key_column_that_is_not_a_feature():
    split = RandomSplit(key=("user", "day"))
    features = (CategoricalFeature("user"),)
    days = [datetime.date(2026, 11, 18), datetime.date(2026, 11, 19)]
    expected = ["1:710:2026-11-18", "1:710:2026-11-19"]
    assert keys(split, features, user=[7, 7], day=days) == expected
    assert keys(split, features, user=["7", "7"], day=[str(day) for day in days]) == expected


def test_keys_use_typed_values():
    """Different spellings of a value, strings as well as numbers and lists, give the same key."""
    features = (
        MultiValuedFeature("bag", weights="weights", separator=";"),
        NumberSequenceFeature("counts"),
        NumericalFeature("price"),
    )
    written = {
        "bag": ["a;;b", "c", None],
        "weights": ["0.10;1;+2", "-0.0", None],
        "counts": ["1|nan|2e0", "", "|3"],
        "price": ["12.50", "nan", "1e14"],
    }
    typed = {
        "bag": [["a", None, "b"], ["c"], []],
        "weights": [[0.1, 1.0, 2.0], [-0.0], []],
        "counts": [[1, None, 2], None, [None, 3]],
        "price": [12.5, None, 1e14],
    }
    columns = [  # Bag, click, counts, price, weights.
        ["3:a;b", "1:1", "4:1||2", "4:12.5", "5:0.1;2"],
        ["1:c", "1:1", "-", "-", "1:0"],
        ["-", "1:1", "2:|3", "5:1e+14", "-"],
    ]
    expected = ["".join(row) for row in columns]
    assert keys(RandomSplit(), features, **written) == expected
    assert keys(RandomSplit(), features, **typed) == expected


def test_numbers_are_the_shortest_decimals_of_their_float32():
    """Arrow formats the numbers, which must not change between its versions."""
    numbers = [5.0, 0.1, 137.12, -2.5, -0.0, 16777217, 123456789, 0.00001, 1e-6, 1e14, 3.4e38]
    found = keys(RandomSplit(key=("price",)), (NumericalFeature("price"),), price=numbers)
    texts = ["5", "0.1", "137.12", "-2.5", "0", "16777216", "123456790", "0.00001", "0.000001", "1e+14", "3.4e+38"]
    assert [key.partition(":")[2] for key in found] == texts


@pytest.mark.parametrize("salt", ["", "2026"])
def test_random_split_agrees_with_pyfarmhash(salt):
    split = RandomSplit(key=("user",), eval=0.15, test=0.25, salt=salt)
    users = [str(i) for i in range(20_000)]
    found = names(split, user=users)
    assert found == expected(split, [f"{salt}{len(user)}:{user}" for user in users])
    assert names(split, user=list(range(20_000))) == found
    for share, name in ((0.15, "eval"), (0.25, "test")):
        deviation = np.sqrt(share * (1 - share) / len(users))
        assert abs(found.count(name) / len(users) - share) < 4 * deviation


def test_changing_the_salt_reshuffles_the_split():
    users = [str(i) for i in range(1000)]
    assert names(RandomSplit(key=("user",)), user=users) != names(RandomSplit(key=("user",), salt="x"), user=users)


def test_rows_with_the_same_key_are_in_the_same_split():
    split = RandomSplit(key=("user",))
    single = names(split, user=["7"])
    assert names(split, other=["a", "b", "c"], user=["7", "7", "7"]) == single * 3


def test_split_of_no_rows_is_empty():
    assert len(assign(*validated(RandomSplit(), user=[]))) == 0


@pytest.mark.parametrize("kind", [str, float])
def test_split_by_time_compares_numbers(kind):
    days = [kind(day) for day in ("-1", "9", "9.5", "10", "11.9", "12", "100")]
    expected = ["train", "train", "train", "eval", "eval", "test", "test"]
    assert names(TimeSplit("day", eval_from=10, test_from=12), (CLICKS,), day=days, clicks=["1"] * 7) == expected


def test_split_by_time_compares_strings_and_timestamps():
    days = ["2026-11-19", "2026-11-20", "2026-11-20T23:59", "2026-12-01"]
    split = TimeSplit("day", "2026-11-20", "2026-12-01")
    assert names(split, day=days) == ["train", "eval", "eval", "test"]
    timestamps = [datetime.datetime.fromisoformat(day) for day in days]
    assert names(split, day=timestamps) == ["train", "eval", "eval", "test"]
    dates = [timestamp.date() for timestamp in timestamps]
    assert names(split, day=dates) == ["train", "eval", "eval", "test"]


def test_a_given_split_is_not_assigned():
    with pytest.raises(ValueError, match=r"split.kind should be random or time .* Received: 'given'"):
        assign(*validated(GivenSplit(), user=["7"]))
