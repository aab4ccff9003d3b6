"""Progress of a run on Kubeflow Pipelines, a line for each change of a step."""

import datetime
import time
from collections.abc import Callable, Iterable
from typing import Any

from pipelines.kubeflow.connection import Connection, ConnectionFailed
from pipelines.kubeflow.specification import Specification

SUCCEEDED, FAILED = "SUCCEEDED", "FAILED"
POLL_SECONDS = 5.0
PATIENCE_SECONDS = 300.0
"""Seconds for which the server may not answer before the command gives up; the run does not notice."""
_ENDED = (SUCCEEDED, FAILED, "SKIPPED", "CANCELED")
_UNKNOWN = "RUNTIME_STATE_UNSPECIFIED"
_DRIVER = "-driver"
"""End of the name of the pod that prepares a step."""
_FIRST_YEAR = 1971
"""Year before which a time means that there is none."""


def follow(
    connection: Connection,
    specification: Specification,
    run: str,
    write: Callable[[str], object],
    poll_seconds: float | None = None,
    patience_seconds: float | None = None,
) -> tuple[str, str]:
    """Waits for the end of a run, and writes a line for each change of a step's state.

    Args:
        connection: Connection to Kubeflow Pipelines.
        specification: Compiled pipeline, with the names of the steps.
        run: Id of the run.
        write: Function that writes a line.
        poll_seconds: Interval between requests; by default `POLL_SECONDS`.
        patience_seconds: Time for which requests may fail; by default `PATIENCE_SECONDS`.

    Returns:
        The last state of the run, such as `SUCCEEDED`, and what the server says about it, with the failed steps.

    Raises:
        ConfigError: If the server does not answer for a long time, or refuses to.
    """
    patience = PATIENCE_SECONDS if patience_seconds is None else patience_seconds
    states: dict[str, str] = {}
    answered = time.monotonic()
    while True:
        try:
            with connection.errors():
                answer = connection.client.get_run(run)
            answered = time.monotonic()
        except ConnectionFailed:
            if time.monotonic() - answered > patience:
                raise
        else:
            for name, state, moment in _changes(specification.steps, answer, states):
                states[name] = state
                write(f"  {moment:%H:%M:%S}  {name:<24} {state.lower()}")
            if answer.state in _ENDED:
                return answer.state, _outcome(states, answer)
        time.sleep(POLL_SECONDS if poll_seconds is None else poll_seconds)


def _changes(steps: Iterable[str], run: Any, before: dict[str, str]) -> list[tuple[str, str, datetime.datetime]]:
    """Returns the steps whose state has changed, with their states and the local time, in the order of time."""
    details = {one.display_name: one for one in getattr(run.run_details, "task_details", None) or []}
    found = []
    for step in steps:
        state, detail = _state(details.get(step), details.get(step + _DRIVER))
        if state and state != before.get(step):
            found.append((step, state, _moment(detail, state)))
    return sorted(found, key=lambda change: change[-1])


def _state(own: Any, driver: Any) -> tuple[str | None, Any]:
    """Returns the state of a step, and the task that tells it: the step's own or its driver."""
    if driver is not None and driver.state == FAILED:
        return FAILED, driver
    if own is not None and own.state not in (None, _UNKNOWN):
        return own.state, own
    if driver is not None and driver.state not in (None, _UNKNOWN):
        return "RUNNING" if driver.state == SUCCEEDED else driver.state, driver
    return None, None


def _moment(detail: Any, state: str) -> datetime.datetime:
    moment = detail.end_time if state in _ENDED else detail.start_time
    if moment is None or moment.year < _FIRST_YEAR:
        moment = datetime.datetime.now(datetime.UTC)
    return moment.astimezone()  # type: ignore[no-any-return]


def _outcome(states: dict[str, str], run: Any) -> str:
    failed = ", ".join(name for name, state in states.items() if state == FAILED)
    message = " ".join((getattr(run.error, "message", None) or "").split())
    return ": ".join(filter(None, (failed, message)))
