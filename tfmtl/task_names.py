"""Check of the task names that a layer or loss takes."""

from collections.abc import Sequence


def task_names(tasks: Sequence[str]) -> tuple[str, ...]:
    """Returns task names as a tuple after checking that they are distinct.

    Args:
        tasks: Names of the tasks.

    Returns:
        The names in the given order.

    Raises:
        ValueError: If there is no name, or a name occurs twice.

    Example:
        >>> from tfmtl.task_names import task_names
        >>> task_names(["click", "buy"])
        ('click', 'buy')
    """
    if not tasks or len(set(tasks)) < len(tasks):
        raise ValueError(f"`tasks` should be at least one name, without duplicates. Received: {list(tasks)}")
    return tuple(tasks)
