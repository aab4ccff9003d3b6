"""What a person sees while a pipeline runs: one line a component, with its time."""

import time

from rich.console import Console
from rich.status import Status


class ComponentProgress:
    """Shows the running component and, when it ends, a line with its seconds.

    Args:
        console: to write to.
    """

    def __init__(self, console: Console):
        self._console = console
        self._status: Status | None = None
        self._start = 0.0
        self.seconds: dict[str, float] = {}

    def __call__(self, name: str, event: str) -> None:
        if event == "start":
            self._start = time.monotonic()
            self._status = self._console.status(f"{name} ...")
            self._status.start()
        else:
            if self._status is not None:
                self._status.stop()
            self.seconds[name] = time.monotonic() - self._start
            self._console.print(f"  {name:<24} {self.seconds[name]:6.1f} s", highlight=False)
