"""Messages of users' errors, found in the exceptions of Beam, TFX and the operating system."""

import errno
import os
import pathlib

import apache_beam as beam
import pytest

from pipelines.beam_runner import IN_PROCESS
from pipelines.errors import user_message
from tfmtl.config import ConfigError
from tfmtl.spec import DatasetSpec
from transforms.batches.errors import ColumnTypeError, MissingColumnError
from transforms.ingest.beam_ingest import IngestPaths
from transforms.readers.log_format import LogFormat

SPEC = DatasetSpec.from_yaml("""
name: shop
features: [{name: user, kind: categorical}]
tasks: [{name: click, label: clicked}]
""")


def read_in_beam(log, *arguments):
    with beam.Pipeline(argv=[f"--runner={IN_PROCESS}", *arguments]) as pipeline:
        paths = pipeline | beam.Create([((str(log),), 0)])
        _ = paths | IngestPaths(SPEC, str(log.parent / "examples"), LogFormat())


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="in_process"),
        pytest.param(["--direct_running_mode=multi_processing"], id="other_process", marks=pytest.mark.slow),
    ],
)
def test_finds_the_error_of_a_reader_in_the_exception_of_beam(tmp_path, arguments):
    """Beam adds the name of the step in this process, and keeps the text of the traceback only from another one."""
    log = tmp_path / "log.csv"
    log.write_text("user,click\nu1,1\n")
    with pytest.raises(Exception, match="should have the column clicked") as caught:
        read_in_beam(log, *arguments)
    assert isinstance(caught.value, MissingColumnError) != bool(arguments)
    expected = f"{log}: should have the column clicked. Received: user, click. Similar names: click for clicked."
    assert user_message(caught.value) == expected


def test_finds_the_cause_of_an_error():
    error = RuntimeError("the component failed")
    error.__cause__ = ColumnTypeError(
        "a.parquet: price should be numbers [while running 'Read/ParDo(Read)-ptransform-7']"
    )
    assert user_message(error) == "a.parquet: price should be numbers"
    assert user_message(ConfigError("shop.yaml:3: name: should be given")) == "shop.yaml:3: name: should be given"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_advises_on_errors_of_the_machine(number):
    text = os.strerror(number)
    plain = user_message(OSError(number, text, "/out/metadata.sqlite"))
    assert text in plain
    assert "'/out/metadata.sqlite'" in plain
    assert plain.endswith("the next run continues after the last finished step.")
    lines = ["Traceback (most recent call last):", "  File x", f"OSError: [Errno {number}] {text} [while running 'W']"]
    beam_text = user_message(RuntimeError("\n".join(lines)))
    assert beam_text.startswith(f"OSError: [Errno {number}] {text}. ")


@pytest.mark.parametrize(
    "error", [KeyError("user"), ValueError("shape"), RuntimeError("ValueError: x"), OSError(5, "io")]
)
def test_other_errors_have_no_message(error):
    assert user_message(error) is None


def test_a_missing_file_is_an_error_of_the_user():
    with pytest.raises(FileNotFoundError) as caught:
        pathlib.Path("/not/there").read_text()
    assert user_message(caught.value) == "[Errno 2] No such file or directory: '/not/there'"


def test_a_damaged_store_is_named():
    text = "Failed to establish connection to Metadata storage with error: file is not a database query:  CREATE"
    assert user_message(RuntimeError(text)).startswith("OUT/metadata.sqlite is damaged")
