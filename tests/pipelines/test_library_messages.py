"""Messages of libraries: hidden by default, shown by `--verbose`, in child processes too."""

import logging
import os
import pathlib
import subprocess
import sys

import pytest

from pipelines.library_messages import failures_hidden, library_messages, log_level

ROOT = pathlib.Path(__file__).parents[2]
LIBRARY = """
import logging, os, warnings
warnings.warn("a warning of a library", FutureWarning)
logging.getLogger("library").warning("a log message of a library")
logging.getLogger("library").error("an error of a library")
logging.getLogger("library").info("an information of a library")
print(os.environ.get("TF_CPP_MIN_LOG_LEVEL"))
"""
CHOICES = ("TF_CPP_MIN_LOG_LEVEL", "GRPC_VERBOSITY", "PYTHONWARNINGS", "TFMTL_VERBOSE")


def run(program, **environment):
    """Runs a program in a process in whose environment only the given choices are made."""
    inherited = {name: value for name, value in os.environ.items() if name not in CHOICES}
    command = [sys.executable, "-c", program]
    return subprocess.run(
        command, cwd=ROOT, env={**inherited, **environment}, capture_output=True, text=True, check=True
    )


def messages_of(shown, **environment):
    """Output of code that is executed in a block of `library_messages`."""
    program = f"from pipelines.library_messages import library_messages\nwith library_messages({shown}):\n"
    return run(program + "".join(f"    {line}\n" for line in LIBRARY.splitlines()), **environment)


def test_messages_below_errors_are_hidden():
    done = messages_of(False)
    assert done.stderr == "an error of a library\n"
    assert done.stdout == "3\n"


@pytest.mark.parametrize(("level", "information", "tensorflow"), [(1, False, "1"), (2, True, "0")])
def test_messages_are_shown_on_request_whatever_the_environment_is(level, information, tensorflow):
    done = messages_of(level, TF_CPP_MIN_LOG_LEVEL="3")
    assert "FutureWarning: a warning of a library" in done.stderr
    assert "a log message of a library" in done.stderr
    assert ("an information of a library" in done.stderr) == information
    assert done.stdout == f"{tensorflow}\n"


def test_choices_of_the_user_hold():
    done = messages_of(False, TF_CPP_MIN_LOG_LEVEL="1", PYTHONWARNINGS="default")
    assert "FutureWarning: a warning of a library" in done.stderr
    assert done.stdout == "1\n"


@pytest.mark.parametrize("shown", [False, True])
def test_child_processes_do_as_their_parent(shown):
    """The child hides messages unless its parent shows them, as the processes of `tfmtl compare` do."""
    program = f"""
import subprocess, sys
from pipelines.library_messages import library_messages
child = "import warnings; warnings.warn('at import', FutureWarning)\\n"
child += "from pipelines.library_messages import library_messages\\n"
child += "with library_messages(False): warnings.warn('in the block', FutureWarning)"
with library_messages({shown}):
    subprocess.run([sys.executable, "-c", child], check=True)
"""
    done = run(program)
    assert [text in done.stderr for text in ("at import", "in the block")] == [shown, shown]


def test_the_environment_is_as_before_after_the_block(monkeypatch):
    monkeypatch.setenv("GRPC_VERBOSITY", "DEBUG")
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    before = dict(os.environ)
    for shown in (False, True):
        with library_messages(shown):
            assert dict(os.environ) != before
        assert dict(os.environ) == before
    assert logging.root.manager.disable == logging.NOTSET


def test_log_level_holds_although_a_library_changes_the_level_of_its_logger(caplog):
    logger = logging.getLogger("library")
    with log_level("error"):
        logger.setLevel(logging.DEBUG)
        logger.warning("hidden")
        logger.error("shown")
    logger.warning("shown after")
    assert [record.message for record in caplog.records] == ["shown", "shown after"]


def test_failures_that_are_also_raised_are_hidden(monkeypatch, caplog):
    beam, tfx = logging.getLogger("apache_beam.runners.common"), logging.getLogger("absl")

    def log():
        caplog.clear()
        with failures_hidden():
            beam.error("a failure with its traceback")
            tfx.error("Execution 3 failed.")
            tfx.error("another message")
        return [record.getMessage() for record in caplog.records]

    monkeypatch.delenv("TFMTL_VERBOSE", raising=False)
    assert log() == ["another message"]
    monkeypatch.setenv("TFMTL_VERBOSE", "1")
    assert len(log()) == 3
    assert not beam.filters
