"""Locks: one holder at a time, also between processes, released by the operating system after a kill."""

import doctest
import os
import pathlib
import re
import socket
import subprocess
import sys

import pytest

from tfmtl.config import ConfigError
from transforms.storage import locks
from transforms.storage.locks import exclusive_lock

REPOSITORY = pathlib.Path(__file__).parents[3]
HOLDER = """
import sys
from transforms.storage.locks import exclusive_lock

with exclusive_lock(sys.argv[1], "in use"):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_second_holder_raises_the_message(tmp_path):
    path = tmp_path / "runs" / ".lock"
    message = "runs should have one writer at a time"
    with exclusive_lock(path, message):
        with pytest.raises(ConfigError, match=message), exclusive_lock(str(path), message):
            raise AssertionError("the block should not run")
        with exclusive_lock(tmp_path / "other.lock", message):
            pass


def test_the_lock_is_released_at_the_end_and_after_an_error(tmp_path):
    for _ in range(2):
        with pytest.raises(RuntimeError), exclusive_lock(tmp_path / ".lock", "in use"):
            raise RuntimeError
    with exclusive_lock(tmp_path / ".lock", "in use"):
        pass


def test_another_process_holds_the_lock_until_it_is_killed(tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path / ".lock")]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "locked\n"
        found = rf"^in use\. Received: process {holder.pid} on {re.escape(socket.gethostname())}, since \d{{4}}-"
        with pytest.raises(ConfigError, match=found), exclusive_lock(tmp_path / ".lock", "in use"):
            raise AssertionError("the block should not run")
        holder.kill()
    with exclusive_lock(tmp_path / ".lock", "in use"):
        message = f"process {os.getpid()} on"
        with pytest.raises(ConfigError, match=message), exclusive_lock(tmp_path / ".lock", "in use"):
            raise AssertionError("the block should not run")
    assert [path.name for path in tmp_path.iterdir() if path.name != ".lock"] == []


def test_examples_of_docstrings():
    assert doctest.testmod(locks).failed == 0
