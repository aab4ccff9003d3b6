"""Small files that are read together give the rows, rejected rows and counts of files that are read one by one."""

import dataclasses
import gzip
import itertools

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfmtl.features import CategoricalFeature, Hashing, NumericalFeature
from tfmtl.sampling import NegativeSampling
from tfmtl.spec import DatasetSpec, RandomSplit, Task
from transforms.batches.errors import ColumnTypeError
from transforms.batches.raw_batch import SPLITS
from transforms.batches.report import IngestReport
from transforms.ingest import joined_batches
from transforms.ingest.beam_ingest import IngestPaths
from transforms.ingest.ingest_files import ingest, ingest_batches, ingest_range
from transforms.ingest.joined_batches import joinable
from transforms.readers.file_range import FileRange
from transforms.readers.log_format import LogFormat
from transforms.readers.registry import read

SPEC = DatasetSpec(
    name="log",
    features=(
        CategoricalFeature("city"),
        NumericalFeature("price"),
        CategoricalFeature("user", hashed=Hashing(buckets=100)),
    ),
    tasks=(Task("click", "click"), Task("buy", "buy", follows="click")),
    split=RandomSplit(eval=0.2, test=0.2, key=("user",)),
    sampling=NegativeSampling("click", 0.5, key=("user", "price")),
)
COLUMNS = ["city", "price", "user", "click", "buy"]
INVALID = {"city": ["Rome", "Oslo"], "price": ["much", "1"], "user": ["u1", "u2"], "click": ["1", ""], "buy": ["0"] * 2}


def rows_of(rng, rows):
    click = rng.integers(0, 2, rows)
    values = (
        rng.choice(["Rome", "Oslo", "Bonn"], rows),
        rng.integers(0, 9, rows),
        rng.integers(0, 50, rows),
        click,
        click * rng.integers(0, 2, rows),
    )
    return {name: [str(value) for value in column] for name, column in zip(COLUMNS, values, strict=True)}


def with_invalid(columns):
    return {name: [*column, *INVALID[name]] for name, column in columns.items()}


def write_text(path, columns, extra=b""):
    lines = [",".join(row) for row in zip(*columns.values(), strict=True)]
    with (gzip.open if path.suffix == ".gz" else open)(path, "wb") as file:
        file.write("\n".join([",".join(columns), *lines, ""]).encode() + extra)
    return str(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files of text and Parquet, with rows that readers or the validation reject, without rows, and of other types."""
    folder, rng = tmp_path_factory.mktemp("files"), np.random.default_rng(3)
    integers = {name: pa.array(map(int, rows)) for name, rows in rows_of(rng, 20).items() if name not in ("city",)}
    pq.write_table(pa.table({"city": ["Rome"] * 20, **integers}), folder / "3.parquet", row_group_size=6)
    return [
        write_text(folder / "0.csv", with_invalid(rows_of(rng, 30)), b"a line with too few columns\n"),
        write_text(folder / "1.csv.gz", with_invalid(rows_of(rng, 8))),
        write_text(folder / "2.csv", dict.fromkeys(COLUMNS, ())),
        str(folder / "3.parquet"),
        write_text(folder / "4.csv", INVALID),
        write_text(folder / "5.csv", dict(reversed(rows_of(rng, 40).items())), b"x,\xff,1,1,1\n"),
        write_text(folder / "6.csv", INVALID),  # The last file has no accepted row.
    ]


def one_by_one(files):
    return [batch for path in files for batch in ingest([path], SPEC)]


def rows(batches):
    return {split: [row for batch in batches for row in batch.examples[split].to_pylist()] for split in SPLITS}


def merged(batches):
    report = IngestReport()
    for batch in batches:
        report = report.merge(batch.report)
    return report


@pytest.mark.parametrize("joined_bytes", [1, 600, joined_batches.JOINED_BYTES])
def test_a_group_of_files_gives_the_rows_and_counts_of_single_files(files, monkeypatch, joined_bytes):
    single = one_by_one(files)
    monkeypatch.setattr(joined_batches, "JOINED_BYTES", joined_bytes)
    group = list(ingest_range(FileRange(files[0], following=tuple(files[1:])), SPEC))
    assert rows(group) == rows(single)
    assert [reject for batch in group for reject in batch.rejects] == [r for batch in single for r in batch.rejects]
    assert merged(group).to_dict() == merged(single).to_dict()
    assert merged(group).total.left_out > 0
    assert merged(group).total.rejected == {
        "wrong_column_count": 1,
        "not_a_number": 4,
        "missing_label": 4,
        "invalid_encoding": 1,
    }
    assert len(group) == {1: len(single), 600: 5}.get(joined_bytes, 3)


def test_a_batch_without_an_equal_schema_is_not_joined(files):
    names = [[batch.source[-5:] for batch in group] for group in joinable(read_all(files))]
    assert names == [["0.csv", "sv.gz"], ["rquet"], ["4.csv", "5.csv", "6.csv"]]


def test_a_batch_with_a_column_of_another_type_than_its_file_is_not_joined(files):
    first, *others = itertools.islice(read_all(files), 2)
    odd = dataclasses.replace(first, mismatched_columns=frozenset({"city"}))
    assert [len(group) for group in joinable([first, odd, first, *others])] == [1, 1, 2]


def test_counts_of_batches_of_one_file_are_added(files):
    (batch,) = read(files[0], COLUMNS, LogFormat())
    halves = [batch.take(np.arange(10)), batch.take(np.arange(10, len(batch.lines)))]
    found = ingest_batches(halves, SPEC).report.to_dict()
    assert found == ingest_batches([dataclasses.replace(batch, rejects=())], SPEC).report.to_dict()
    assert list(found["sources"]) == [files[0]]


def read_all(files):
    for path in files:
        yield from read(path, COLUMNS, LogFormat())


def test_a_column_of_a_wrong_type_names_its_file(tmp_path, files):
    table = pq.read_table(files[3])
    wrong = table.set_column(0, "city", pa.array([[{"a": 1}]] * 20))
    pq.write_table(wrong, tmp_path / "wrong.parquet")
    part = FileRange(files[3], following=(str(tmp_path / "wrong.parquet"), files[0]))
    with pytest.raises(ColumnTypeError, match=r"wrong.parquet, from row 1 on: city should be strings"):
        list(ingest_range(part, SPEC))


def test_progress_is_that_of_each_file(files):
    seen = {}
    list(ingest_range(FileRange(files[0], following=tuple(files[1:])), SPEC, progress=seen.__setitem__))
    assert set(seen) == {FileRange(path) for path in files if not path.endswith("2.csv")}  # It has no rows.


def test_beam_writes_a_group_as_one_range(tmp_path, files):
    for name, elements in (("group", [(tuple(files), 0)]), ("single", [((path,), i) for i, path in enumerate(files)])):
        with beam.Pipeline() as pipeline:
            _ = pipeline | beam.Create(elements) | IngestPaths(SPEC, str(tmp_path / name), LogFormat())
    text = {
        name: b"".join(path.read_bytes() for path in sorted((tmp_path / name).glob("rejects-*.jsonl")))
        for name in ("group", "single")
    }
    assert text["group"] == text["single"] != b""
    assert [path.name for path in (tmp_path / "group").glob("rejects-*")] == ["rejects-00000.jsonl"]
    for split in SPLITS:
        contents = [
            [gzip.decompress(path.read_bytes()) for path in sorted((tmp_path / name).glob(f"Split-{split}/*"))]
            for name in ("group", "single")
        ]
        assert contents[0] == [b"".join(contents[1])]
