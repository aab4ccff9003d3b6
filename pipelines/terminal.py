"""Terminal output of the programs, without the messages of the libraries that they use."""

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from rich.console import Console

from pipelines.progress.bars import EPOCH_ROWS, Bars
from pipelines.progress.peak_memory import format_gigabytes, peak_memory_bytes, reset_peak_memory

_WIDTH = 110
"""Width of lines where there is no terminal and `COLUMNS` is not set: logs and files have room for it."""


def _width() -> int | None:
    return None if sys.stdout.isatty() or os.environ.get("COLUMNS") else _WIDTH


console = Console(width=_width())
"""Console to which the programs print."""


@contextmanager
def working(text: str) -> Iterator[Callable[[str], object]]:
    """Shows on a terminal that something is being done while the block runs, and the tasks that report their progress.

    Args:
        text: What is done.

    Yields:
        A function that replaces the text.
    """
    with Bars(console) as bars:
        bars.show(text, text)
        yield lambda other: bars.show(text, other)


@contextmanager
def colored(when: str) -> Iterator[None]:
    """Prints with or without colours inside the `with` block.

    Args:
        when: `always`, `never`, or `auto` for colours on a terminal, unless `NO_COLOR` is set, or `FORCE_COLOR` is.
    """
    if when == "auto":
        yield
        return
    _start_console(force_terminal=when == "always", color_system="auto" if when == "always" else None)
    try:
        yield
    finally:
        _start_console()


def _start_console(**options: Any) -> None:
    """Starts the console again with other options; modules hold the object itself."""
    type(console).__init__(console, width=_width(), **options)


@contextmanager
def show_renamed_settings() -> Iterator[None]:
    """Prints every `RenamedWarning` inside the `with` block as one line on stderr, each line once.

    The lines are printed whatever the filters of `PYTHONWARNINGS` are. Other warnings are not affected.
    """
    from tfmtl.config import RenamedWarning

    shown: set[str] = set()
    with warnings.catch_warnings():
        show_other = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *arguments: Any, **options: Any) -> None:
            if not issubclass(category, RenamedWarning):
                show_other(message, category, *arguments, **options)
            elif str(message) not in shown:
                shown.add(str(message))
                print(f"Warning: {message}", file=sys.stderr)

        warnings.simplefilter("always", RenamedWarning)
        warnings.showwarning = show
        yield


def run_program(program: Callable[[], object]) -> NoReturn:
    """Calls a function and ends the process at once, with the function's result as the exit code.

    The interpreter's usual shutdown clears TensorFlow's modules before the functions that they registered, each of
    which then prints `Exception ignored in AtomicFunction.__del__`.

    Args:
        program: Function that returns an exit code; a result that is not an integer counts as 0.
    """
    code: object = 1
    try:
        code = program()
    except SystemExit as stop:
        code = stop.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0)


class ComponentProgress:
    """Prints one line for each component that ends, and shows the progress of the one that runs.

    The line has the component's duration and, on Linux, the peak memory of this process while it ran.

    Args:
        console: Console to print to.

    Attributes:
        seconds: Duration of each component that has ended, in seconds.
        memory: Peak memory of this process while each of them ran, in bytes; None where it is not known.
        bars: Bars of the running component, to which amounts can be added.
    """

    def __init__(self, console: Console):
        self._console = console
        self._start = 0.0
        self.seconds: dict[str, float] = {}
        self.memory: dict[str, int | None] = {}
        self.bars = Bars(console)

    def __call__(self, name: str, event: str) -> None:
        """Handles the start or the end of a component.

        Args:
            name: Name of the component.
            event: `"start"` or `"end"`.
        """
        if event == "start":
            self._start = time.monotonic()
            reset_peak_memory()
            self.bars.start()
            self.bars.show(name, f"{name} ...")
        else:
            self.bars.stop()
            self.seconds[name] = time.monotonic() - self._start
            self.memory[name] = peak_memory_bytes()
            line = f"  {name:<24} {self.seconds[name]:6.1f} s  {format_gigabytes(self.memory[name]):>8}"
            self._console.print(line.rstrip(), highlight=False)

    def rows(self, counts: Mapping[str, int]) -> None:
        """Gives the numbers of rows that are known when the log has been read.

        Args:
            counts: Number of rows by split.
        """
        self.bars.totals |= {EPOCH_ROWS: counts.get("train", 0), "evaluating": counts.get("test", 0)}
