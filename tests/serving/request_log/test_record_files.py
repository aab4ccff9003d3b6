"""Files of the request log: rotation, bounds, what a killed process leaves, and one writer for a folder."""

import os
import signal
import subprocess
import sys

import pytest
import tensorflow as tf

from serving.request_log import RequestLogOptions, record_files
from serving.request_log.record_files import RecordFiles
from tfmtl.config import ConfigError

MEBIBYTE = 2**20


def options(folder, total=MEBIBYTE):
    return RequestLogOptions(folder, max_bytes=total)


def contents(folder):
    """Records by file, in the order of the names; all files are read as TensorFlow reads them."""
    paths = sorted(folder.glob("*.tfrecord*"))
    return {path.name: list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()) for path in paths}


def test_records_are_complete_after_each_flush_and_files_after_closing(tmp_path):
    files = RecordFiles(options(tmp_path / "new" / "log"))
    for number in range(3):
        files.write(b"record %d" % number)
        files.flush()
        ((name, records),) = contents(tmp_path / "new" / "log").items()
        assert name.endswith(".tfrecord.part")
        assert records == [b"record %d" % i for i in range(number + 1)]
    files.close()
    ((name, records),) = contents(tmp_path / "new" / "log").items()
    assert name.endswith(".tfrecord")
    assert len(records) == 3


def test_files_hold_at_most_as_many_records_as_a_warm_up_file(tmp_path):
    files = RecordFiles(options(tmp_path))
    for number in range(2001):
        files.write(b"%d" % number)
    files.close()
    assert [len(records) for records in contents(tmp_path).values()] == [1000, 1000, 1]
    assert [int(r) for records in contents(tmp_path).values() for r in records] == list(range(2001))


def test_oldest_files_are_removed(tmp_path):
    for start in range(0, 60, 20):  # The files of earlier processes count too.
        files = RecordFiles(options(tmp_path))
        for number in range(start, start + 20):
            files.write(bytes([number]) * 100_000)
            files.flush()
            assert sum(path.stat().st_size for path in tmp_path.glob("*.tfrecord*")) <= MEBIBYTE
        files.close()
    kept = [record[0] for records in contents(tmp_path).values() for record in records]
    assert kept == list(range(60 - len(kept), 60))
    assert len(kept) >= 7
    assert max(path.stat().st_size for path in tmp_path.glob("*.tfrecord")) <= MEBIBYTE // 4


def test_old_file_is_completed(tmp_path, monkeypatch):
    files = RecordFiles(options(tmp_path))
    files.write(b"record")
    monkeypatch.setattr(record_files, "FILE_SECONDS", 0.0)
    files.flush()
    assert [name.endswith(".tfrecord") for name in contents(tmp_path)] == [True]
    files.close()


def test_largest_record(tmp_path):
    files = RecordFiles(options(tmp_path))
    most = MEBIBYTE // 4 - record_files.FRAME_BYTES
    assert (files.fits(most), files.fits(most + 1)) == (True, False)
    files.write(bytes(most))
    files.close()
    assert next(tmp_path.glob("*.tfrecord")).stat().st_size == MEBIBYTE // 4


@pytest.mark.parametrize("cut", [0, 1, 11, 12, 15, 24, 25])
def test_file_that_a_dead_process_left_is_cut_behind_its_last_whole_record(tmp_path, cut):
    files = RecordFiles(options(tmp_path))
    for _ in range(3):
        files.write(b"12345678")
    files.close()
    (path,) = tmp_path.glob("*.tfrecord")
    path.rename(f"{path}.part")
    os.truncate(f"{path}.part", 72 - cut)
    RecordFiles(options(tmp_path)).close()
    assert contents(tmp_path) == {path.name: [b"12345678"] * (3 if not cut else 2 if cut <= 24 else 1)}


def test_empty_file_that_a_dead_process_left_is_removed(tmp_path):
    (tmp_path / "requests-20260101T000000Z-000001.tfrecord.part").write_bytes(b"\x08")
    RecordFiles(options(tmp_path)).close()
    assert contents(tmp_path) == {}


def test_killed_process_leaves_what_it_has_flushed_and_frees_the_folder(tmp_path):
    program = f"""
import sys
from serving.request_log import RequestLogOptions
from serving.request_log.record_files import RecordFiles
files = RecordFiles(RequestLogOptions({str(tmp_path)!r}))
for number in range(5):
    files.write(b"%d" % number)
files.flush()
print("written", flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-W", "ignore", "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"written\n"
        with pytest.raises(ConfigError, match="no other server logs requests to"):
            RecordFiles(options(tmp_path))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert [*contents(tmp_path).values()] == [[b"0", b"1", b"2", b"3", b"4"]]
    files = RecordFiles(options(tmp_path))
    assert [name.endswith(".tfrecord") for name in contents(tmp_path)] == [True]
    files.close()


def test_folders_that_cannot_be_used(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="should be a folder that this server can write to"):
        RecordFiles(options(tmp_path / "file"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sampling_rate": 0.0}, "sampling_rate should be above 0 and at most 1. Received: 0"),
        ({"sampling_rate": 1.5}, "sampling_rate should be above 0 and at most 1. Received: 1.5"),
        ({"sampling_rate": float("nan")}, "sampling_rate should be above 0 and at most 1. Received: nan"),
        ({"max_bytes": 1}, "max_bytes should be at least 1048576. Received: 1"),
    ],
)
def test_options_out_of_range(values, message):
    with pytest.raises(ValueError, match=message):
        RequestLogOptions("log", **values)
