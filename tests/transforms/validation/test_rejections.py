"""Rejections of rows: first reasons, details and texts."""

import numpy as np
import pyarrow as pa
import pytest

from transforms.batches.raw_batch import RawBatch, Reject
from transforms.validation.rejections import RowRejections


@pytest.fixture
def batch():
    columns = pa.table({"city": ["Rome", None, "Oslo", "Bonn"], "age": ["1", "2", "x", "y"]})
    reader_reject = Reject("log.csv", 15, "wrong_column_count", "should have 2 values. Received: 1", "oops")
    return RawBatch(columns, np.array([10, 20, 30, 40]), "log.csv", (reader_reject,))


def test_rows_keep_the_first_reason(batch):
    rejections = RowRejections(batch)
    rejections.reject(np.array([False, True, False, False]), "missing_required", "given", "city")
    rejections.reject(np.array([False, True, True, False]), "not_a_number", "a number", "age")
    rejections.reject(pa.array([False] * 4), "broken_chain", "0", "age")
    assert rejections.rejects() == [
        Reject("log.csv", 20, "missing_required", "city should be given. Received: nothing", ",2"),
        Reject("log.csv", 30, "not_a_number", "age should be a number. Received: 'x'", "Oslo,x"),
    ]
    assert rejections.accepted.tolist() == [0, 3]
    assert rejections.accepted_mask.tolist() == [True, False, False, True]
    assert [reject.line for reject in rejections.all_rejects()] == [15, 20, 30]


def test_texts_and_received_values_can_be_given(batch):
    rejections = RowRejections(batch, lambda rows: [f"line {row}" for row in rows])
    values = pa.array([b"a", b"", b"b", b"c"], pa.binary())
    rejections.reject(np.array([False, True, True, False]), "invalid_weights", "a number", "the value", values)
    assert [(reject.detail, reject.text) for reject in rejections.rejects()] == [
        ("the value should be a number. Received: nothing", "line 1"),
        ("the value should be a number. Received: 'b'", "line 2"),
    ]


def test_no_rows_are_rejected(batch):
    rejections = RowRejections(batch)
    assert rejections.rejects() == []
    assert rejections.all_rejects() == list(batch.rejects)
    assert rejections.accepted.tolist() == [0, 1, 2, 3]
