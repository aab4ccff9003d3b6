"""A row's split is that of its hash, which pyfarmhash computes too, or of its time."""

import farmhash
import numpy as np
import pyarrow as pa
import pytest

from tfmtl.spec import GivenSplit, RandomSplit, TimeSplit
from transforms.batch import SPLITS, RawBatch
from transforms.split import assign, split_key


def batch(**columns):
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    return RawBatch(table, np.arange(table.num_rows) + 2, "log.csv")


def names(split, rows):
    return [SPLITS[i] for i in assign(split, rows)]


def expected(split, texts):
    """By the formula: eval has the first share of the buckets, test the next, train the rest."""
    shares = [farmhash.fingerprint64(text) % 1_000_000 / 1_000_000 for text in texts]
    return ["eval" if s < split.eval else "test" if s < split.eval + split.test else "train" for s in shares]


def test_fixed_keys():
    split = RandomSplit(key=("user",), eval=0.2, test=0.3)
    users = ["1", "2", "3", "4", "5", "6", "8", None]
    assert names(split, batch(user=users)) == ["test", "train", "train", "test", "train", "test", "train", "test"]


def test_key_is_lengths_and_cells():
    split = RandomSplit(key=("user", "day"), salt="s")
    keys = split_key(split, batch(day=["Mo", None, "x:"], user=["17", "é", "3"], other=["a", "b", "c"]))
    assert keys.to_pylist() == ["s2:172:Mo", "s2:é-", "s1:32:x:"]


def test_no_key_means_all_columns_by_name():
    keys = split_key(RandomSplit(), batch(b=["2"], a=["1"]))
    assert keys.to_pylist() == ["1:11:2"]


def test_cells_that_join_alike_are_kept_apart():
    keys = split_key(RandomSplit(key=("a", "b")), batch(a=["1", "11", "", None], b=["12", "2", "x", "x"])).to_pylist()
    assert len(set(keys)) == 4


@pytest.mark.parametrize("salt", ["", "2026"])
def test_agrees_with_pyfarmhash(salt):
    split = RandomSplit(key=("user",), eval=0.15, test=0.25, salt=salt)
    users = [str(i) for i in range(20_000)]
    found = names(split, batch(user=users))
    assert found == expected(split, [f"{salt}{len(user)}:{user}" for user in users])
    for share, name in ((0.15, "eval"), (0.25, "test")):
        deviation = np.sqrt(share * (1 - share) / len(users))
        assert abs(found.count(name) / len(users) - share) < 4 * deviation


def test_another_salt_is_another_split():
    users = batch(user=[str(i) for i in range(1000)])
    assert names(RandomSplit(key=("user",)), users) != names(RandomSplit(key=("user",), salt="x"), users)


def test_rows_of_one_key_stay_together_whatever_is_beside_them():
    split = RandomSplit(key=("user",))
    alone = names(split, batch(user=["7"]))
    assert names(split, batch(other=["a", "b", "c"], user=["7", "7", "7"])) == alone * 3


def test_no_rows():
    assert len(assign(RandomSplit(), batch(user=[]))) == 0


def test_times_as_numbers():
    rows = batch(day=["-1", "9", "9.5", "10", "11.9", "12", "100"])
    expected = ["train", "train", "train", "eval", "eval", "test", "test"]
    assert names(TimeSplit("day", eval_from=10, test_from=12), rows) == expected


def test_times_as_text():
    rows = batch(day=["2026-11-19", "2026-11-20", "2026-11-20T23:59", "2026-12-01"])
    assert names(TimeSplit("day", "2026-11-20", "2026-12-01"), rows) == ["train", "eval", "eval", "test"]


def test_a_given_split_is_not_assigned():
    with pytest.raises(ValueError, match="split should be random or time where rows are read one by one"):
        assign(GivenSplit(), batch(user=["7"]))
