"""Forked workers: what they are given and return, several at a time, and the ends of worker, server and parent."""

import concurrent.futures
import json
import os
import pathlib
import queue
import signal
import subprocess
import sys
import time

import pytest

from pipelines import fork_server
from pipelines.fork_server import ForkServer

MODULE = "tests.pipelines.forked_module"
on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux only")


@pytest.fixture(scope="module")
def workers():
    with ForkServer(["mailbox", "no_such_module"], {"SHARED": "all"}) as server:
        yield server


def run(workers, *arguments, request="", environment=None):
    return workers.run(MODULE, arguments, request, lambda line: None, environment)


def printed(workers, *arguments, **given):
    code, lines = run(workers, "print", *arguments, **given)
    assert code == 0, lines
    assert lines[1] == "to the standard error\n"
    return json.loads(lines[0])


def has_ended(pid):
    """Returns whether a process ends within some seconds; one that nobody has waited for yet counts."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        status = pathlib.Path(f"/proc/{pid}/status")
        if not status.exists() or "State:\tZ" in status.read_text():
            return True
        time.sleep(0.05)
    return False


def test_worker_has_arguments_request_and_environment(workers):
    request = json.dumps({"name": "x" * 100_000, "umlaut": "\u00fc"})
    first = printed(workers, "one", "two", request=request, environment={"NAME": "first"})
    assert first["rest"] == ["one", "two"]
    assert first["request"] == f"{request}\n"
    assert (first["name"], first["shared"]) == ("first", "all")
    assert printed(workers)["name"] is None, "the environment of a worker is its own"


def test_lines_are_passed_on_as_they_are_printed(workers):
    seen = []
    code, lines = workers.run(MODULE, ["lines", "a"], "", seen.append)
    assert code == 0
    assert seen == [line.rstrip() for line in lines]
    assert len(seen) == 200


@on_linux
def test_workers_are_forked_from_one_process_with_the_libraries(workers):
    first, second = printed(workers), printed(workers)
    assert first["imported"]
    assert first["server"] == second["server"] != os.getpid()
    assert first["pid"] != second["pid"]


@pytest.mark.parametrize(("arguments", "code"), [(["exit", "3"], 3), (["exit", "0"], 0), (["kill"], -signal.SIGKILL)])
def test_exit_code(workers, arguments, code):
    assert run(workers, *arguments)[0] == code


def test_error_is_printed_and_has_the_exit_code_1(workers):
    code, lines = run(workers, "raise")
    assert code == 1
    assert lines[-1] == "ValueError: not finite\n"


def test_module_that_cannot_be_imported(workers):
    code, lines = workers.run("tests.pipelines.no_such_module", [], "request", lambda line: None)
    assert code == 1
    assert "No module named tests.pipelines.no_such_module" in lines[-1]


def test_several_at_a_time_have_their_own_lines_and_codes(workers):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda name: run(workers, "lines", name), "abcd"))
        codes = list(pool.map(lambda code: run(workers, "exit", str(code))[0], range(8)))
    for name, (code, lines) in zip("abcd", results, strict=True):
        assert code == 0
        assert [line.split()[:2] for line in lines] == [[name, str(number)] for number in range(200)]
    assert codes == list(range(8))


@on_linux
def test_error_of_the_caller_ends_the_worker(workers):
    pids = []

    def fail(line):
        pids.append(int(line))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        workers.run(MODULE, ["wait"], "", fail)
    assert has_ended(pids[0])
    assert run(workers, "exit", "4")[0] == 4


@on_linux
def test_without_its_server_a_run_has_a_process_of_its_own():
    with ForkServer(["mailbox"], {"SHARED": "all"}) as server:
        os.kill(printed(server)["server"], signal.SIGKILL)
        server._process.wait()
        alone = printed(server, request="r", environment={"NAME": "alone"})
    assert not alone["imported"]
    assert (alone["server"], alone["request"], alone["name"], alone["shared"]) == (os.getpid(), "r\n", "alone", "all")


@on_linux
def test_worker_whose_server_is_killed_counts_as_killed():
    with ForkServer([]) as server:
        code, lines = server.run(MODULE, ["wait"], "", lambda line: (server._process.kill(), os.kill(int(line), 9)))
    assert (code, len(lines)) == (-signal.SIGKILL, 1)


@on_linux
def test_run_ends_with_its_worker_while_a_later_one_lives():
    """A worker holds no pipe of another one: without the server, only the end of all its pipes tells that it ended."""
    pids = queue.Queue()
    with ForkServer([]) as server, concurrent.futures.ThreadPoolExecutor(2) as pool:
        first, first_pid = pool.submit(server.run, MODULE, ["wait"], "", lambda line: pids.put(int(line))), pids.get()
        second, second_pid = pool.submit(server.run, MODULE, ["wait"], "", lambda line: pids.put(int(line))), pids.get()
        try:
            server._process.kill()
            server._process.wait()
            os.kill(first_pid, signal.SIGKILL)
            assert first.result(timeout=10)[0] == -signal.SIGKILL
            assert not second.done()
        finally:
            os.kill(second_pid, signal.SIGKILL)


def test_on_other_systems_a_run_has_a_process_of_its_own(monkeypatch):
    monkeypatch.setattr(fork_server.sys, "platform", "darwin")
    with ForkServer(["mailbox"]) as server:
        assert not printed(server)["imported"]


@on_linux
def test_worker_and_server_end_with_their_parent():
    program = f"""
from pipelines.fork_server import ForkServer
with ForkServer([]) as server:
    server.run({MODULE!r}, ["wait"], "", lambda line: print(line, server._process.pid, flush=True))
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        worker, server = map(int, parent.stdout.readline().split())
        parent.kill()
    assert has_ended(worker)
    assert has_ended(server)


@on_linux
def test_libraries_of_training_start_no_threads_that_a_fork_loses():
    """Threads of a process do not exist in those that are forked from it. OpenBLAS and jemalloc start theirs again."""
    program = f"""
import importlib, os
for name in {fork_server.TRAINING_LIBRARIES}:
    importlib.import_module(name)
print("threads:", *(open(f"/proc/self/task/{{task}}/comm").read().strip() for task in os.listdir("/proc/self/task")))
"""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", program]
    shown = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    _, *threads = shown.stdout.splitlines()[-1].split()
    assert len(threads) == 1 + threads.count("jemalloc_bg_thd"), threads
