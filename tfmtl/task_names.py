"""The tasks that a layer or loss holds by name."""

from collections.abc import Sequence


def task_names(tasks: Sequence[str]) -> tuple[str, ...]:
    """The names as a tuple; raises `ValueError` unless there is at least one and each stands once."""
    if not tasks or len(set(tasks)) < len(tasks):
        raise ValueError(f"`tasks` should be names, each once, and at least one. Received: {list(tasks)}")
    return tuple(tasks)
