"""Interrupted ingestion: the folder is recognized as incomplete, and a second run completes it."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from tests.transforms.ali_ccp.raw_cases import write_raw
from tfmtl.config import ConfigError
from transforms.ali_ccp.ingest import ingest_ali_ccp
from transforms.ali_ccp.options import IngestOptions
from transforms.ingest.manifest import Manifest
from transforms.storage.atomic import UNFINISHED

REPOSITORY = pathlib.Path(__file__).parents[3]
KILLED = """
import os, signal, sys
from transforms.ali_ccp.ingest import ingest_ali_ccp
from transforms.ali_ccp.options import IngestOptions

def progress(name, done, total):
    if name == "sample_skeleton_test":
        os.kill(os.getpid(), signal.SIGKILL)

ingest_ali_ccp(sys.argv[1], sys.argv[2], IngestOptions("aitm"), progress, block_bytes=300)
"""


@pytest.fixture
def raw(tmp_path):
    return write_raw(tmp_path / "raw")


@pytest.fixture
def complete(raw, tmp_path):
    """Manifest and files of an ingestion without interruption."""
    manifest = ingest_ali_ccp(str(raw), str(tmp_path / "complete"), IngestOptions("aitm"))
    return manifest, contents(tmp_path / "complete")


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_incomplete(folder):
    with pytest.raises(FileNotFoundError, match=r"a folder that `tfmtl ingest` has finished. Missing: manifest.json"):
        Manifest.load(str(folder))


def test_killed_ingestion_can_be_repeated(raw, complete, tmp_path):
    out = tmp_path / "out"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", KILLED, str(raw), str(out)]
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    assert out.exists()
    assert_incomplete(out)
    ingest_ali_ccp(str(raw), str(out), IngestOptions("aitm"))
    assert contents(out) == complete[1]


@pytest.mark.parametrize("calls", [1, 5, 20])
def test_interrupted_ingestion_can_be_repeated(raw, complete, tmp_path, calls):
    """The first run has other options and therefore files of other names."""
    out, remaining = tmp_path / "out", iter(range(calls))

    def progress(name, done, total):
        if next(remaining, None) is None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest_ali_ccp(str(raw), str(out), IngestOptions("all", eval=0.5), progress, block_bytes=200)
    assert_incomplete(out)
    ingest_ali_ccp(str(raw), str(out), IngestOptions("aitm"))
    assert contents(out) == complete[1]


def test_interruption_before_the_manifest_can_be_repeated(raw, complete, tmp_path, monkeypatch):
    out = tmp_path / "out"

    def fail(self):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Manifest, "to_dict", fail)
        with pytest.raises(KeyboardInterrupt):
            ingest_ali_ccp(str(raw), str(out), IngestOptions("all"))
    assert any(path.startswith("Split-") for path in contents(out))
    assert_incomplete(out)
    ingest_ali_ccp(str(raw), str(out), IngestOptions("aitm"))
    assert contents(out) == complete[1]
    assert not (out / UNFINISHED).exists()


def test_complete_ingestion_is_not_repeated(raw, complete, tmp_path):
    def progress(name, done, total):
        raise AssertionError("nothing should be read")

    again = ingest_ali_ccp(str(raw), str(tmp_path / "complete"), IngestOptions("aitm"), progress)
    assert again == complete[0]
    assert contents(tmp_path / "complete") == complete[1]


def test_changed_files_of_the_same_size_are_another_log(raw, complete, tmp_path):
    path = raw / "sample_skeleton_train.csv"
    data = path.read_bytes()
    path.write_bytes(data.replace(b",0,0,", b",1,0,"))
    assert path.stat().st_size == len(data)
    assert path.read_bytes() != data
    with pytest.raises(ConfigError, match=r"should be a new folder. Received: one that holds ali-ccp with"):
        ingest_ali_ccp(str(raw), str(tmp_path / "complete"), IngestOptions("aitm"))


def test_another_log_is_not_overwritten(raw, complete, tmp_path):
    with pytest.raises(ConfigError, match=r"should be a new folder. Received: .*ali-ccp.*'prepare': 'aitm'"):
        ingest_ali_ccp(str(raw), str(tmp_path / "complete"), IngestOptions("all"))
    with (raw / "sample_skeleton_test.csv").open("a") as file:
        file.write("99,0,0\n")
    with pytest.raises(ConfigError, match=r"should be a new folder. Received: .*'files'"):
        ingest_ali_ccp(str(raw), str(tmp_path / "complete"), IngestOptions("aitm"))
    assert contents(tmp_path / "complete") == complete[1]


def test_unrelated_files_are_not_removed(raw, tmp_path):
    out = tmp_path / "out"
    (out / "Split-train").mkdir(parents=True)
    (out / "thesis.tex").write_text("all of it")
    with pytest.raises(ConfigError, match=r"or one that an ingest left unfinished. Received: one with thesis.tex"):
        ingest_ali_ccp(str(raw), str(out), IngestOptions())
    assert contents(out) == {"thesis.tex": b"all of it"}
    assert (out / "Split-train").exists()
