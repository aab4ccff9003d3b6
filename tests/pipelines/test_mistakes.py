"""Mistakes of users of the command line end in one to three lines that say what is wrong, with exit code 2."""

import errno
import pathlib
import socket

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from tests.pipelines.mistake_cases import LOG, MISTAKES, RUN, SETTINGS


def invoke(words, *options):
    """Runs a command, and returns its exit code and the lines that are not empty."""
    done = CliRunner().invoke(main, [*options, *(words.split() if isinstance(words, str) else words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, [line for line in done.output.splitlines() if line.strip()]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The present folder, with settings and a log without mistakes."""
    monkeypatch.chdir(tmp_path)
    write({"shop.yaml": SETTINGS, "log.csv": LOG})
    return tmp_path


def write(files):
    for name, content in files.items():
        path = pathlib.Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def assert_short(lines, message):
    assert message in "\n".join(lines)
    errors = lines[next(i for i, line in enumerate(lines) if line.startswith(("Error: ", "Usage: "))) :]
    assert 1 <= len(errors) <= 3
    assert "Traceback" not in "\n".join(lines)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_reported(folder, mistake):
    write(mistake.files)
    code, lines = invoke(mistake.command)
    assert code == mistake.code, lines
    assert_short(lines, mistake.message)
    assert not (folder / "out" / "metadata.sqlite").exists()


def test_a_port_in_use(folder):
    write({"m/1/saved_model.pb": ""})
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, lines = invoke(f"serve m --port {port}")
    assert code == 2
    assert_short(lines, f"127.0.0.1:{port} should be a free address of this machine; --port 0 chooses a free port.")


@pytest.mark.parametrize(
    ("number", "text", "advice"),
    [
        (errno.ENOSPC, "No space left on device", "Free some space"),
        (errno.EACCES, "Permission denied", "Change the permissions"),
        (errno.EROFS, "Read-only file system", "Write to another folder"),
    ],
)
def test_a_folder_that_cannot_be_written(folder, monkeypatch, number, text, advice):
    def refuse(*args, **options):
        raise OSError(number, text, "out")

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    code, lines = invoke(RUN)
    assert code == 2
    assert_short(lines, f"{text}: 'out'. {advice}")


def test_the_traceback_is_shown_on_request(folder):
    code, lines = invoke("run shop.yaml --data gone", "--traceback")
    assert code == 2
    assert lines[0].startswith("Traceback")
    assert lines[-1].startswith("Error: data.path should be")


def test_errors_that_are_no_mistakes_keep_their_traceback(folder, monkeypatch):
    def fail(*args, **options):
        raise ZeroDivisionError

    monkeypatch.setattr("pipelines.log_check.check_log", fail)
    assert isinstance(CliRunner().invoke(main, RUN.split()).exception, ZeroDivisionError)


@pytest.mark.parametrize(("command", "resumes"), [(RUN, True), ("simulate shop.yaml --out x", False)])
def test_ctrl_c_ends_with_exit_code_130(folder, monkeypatch, command, resumes):
    def interrupt(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.settings_file.load_settings", interrupt)
    monkeypatch.setattr("pipelines.commands.simulate.load_settings", interrupt)
    code, lines = invoke(command)
    assert code == 130
    assert lines == [f"Interrupted.{' The next run continues after the last finished step.' if resumes else ''}"]
