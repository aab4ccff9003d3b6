"""Terminal output of a search: a line for each trial, and the table of the best ones."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines.progress.bars import EPOCH_ROWS, Bars
from pipelines.progress.duration import duration
from pipelines.search.space import OPTIONS, TRAINING
from pipelines.tuning.plan import SearchPlan
from pipelines.tuning.search import ranked
from pipelines.tuning.trials import Trial
from tfmtl.search_space import Choice

BEST = 10
"""Number of trials in the table."""
_ALL, _TRIAL = "all trials", "trial"
"""Keys of the bar of all trials and of the line of the running one."""
_AS_GIVEN = "settings as they are"


class SearchProgress:
    """Prints each trial when it has ended, and shows the last line of the running one. A `SearchObserver`.

    Args:
        console: Console to print to.
        plan: Plan of the search.
        trials: Number of trials.
        epoch_rows: Number of training rows; 0 if it is not known.
    """

    def __init__(self, console: Console, plan: SearchPlan, trials: int, epoch_rows: int = 0):
        self._console = console
        self._plan = plan
        self._trials = trials
        self._ended: list[Trial] = []
        self._bars = Bars(console, {EPOCH_ROWS: epoch_rows})
        self._title = ""

    def start(self, number: int) -> None:
        """Shows the running trial.

        Args:
            number: Number of the trial.
        """
        self._title = f"trial {number}"
        self._bars.start()
        seconds = [trial.seconds for trial in self._ended]
        left = (self._trials - number + 1) * sum(seconds) / len(seconds) if seconds else 0.0
        words = f"{number - 1} of {self._trials} trials" + (f", about {duration(left)} left" if left else "")
        self._bars.show(_ALL, _ALL, number - 1, self._trials, words)
        self._bars.show(_TRIAL, f"{self._title} ...")

    def line(self, text: str) -> None:
        """Shows the last line of the running trial.

        Args:
            text: The line.
        """
        self._bars.show(_TRIAL, f"{self._title}: {text.strip()}")

    def end(self, trial: Trial) -> None:
        """Prints the result of a trial, the best one so far, and the values that differ from the settings.

        Args:
            trial: The trial.
        """
        self._bars.stop()
        self._ended.append(trial)
        count = f"{trial.number}/{self._trials}"
        parts = [f"{count:>7}", f"{trial.seconds:6.1f} s", f"{result(self._plan, trial):<42}"]
        best = ranked(self._plan, self._ended)
        if best:
            parts.append(f"best {best[0].metric:.4f} (trial {best[0].number})")
        style = "red" if trial.status == "failed" else ""
        self._console.print(escape("  ".join(parts)), style=style, highlight=False, soft_wrap=True)
        indent = " " * 11
        values = textwrap.wrap(changes(self._plan, trial), self._console.width - len(indent), break_on_hyphens=False)
        self._console.print(escape(textwrap.indent("\n".join(values), indent)), style="dim", highlight=False)


def result(plan: SearchPlan, trial: Trial) -> str:
    """Returns the metric of a trial and its end, or its error.

    Args:
        plan: Plan of the search.
        trial: The trial.
    """
    if trial.metric is None:
        return f"failed: {trial.error[:60]}"
    stopped = ", stopped" if trial.status == "stopped" else ""
    return f"{plan.objective} {trial.metric:.4f} in epoch {trial.epoch} of {trial.epochs}{stopped}"


def changes(plan: SearchPlan, trial: Trial) -> str:
    """Returns the values of a trial that differ from the settings as they are, by the names of their fields.

    Args:
        plan: Plan of the search.
        trial: The trial.
    """
    if trial.number == 1:
        return _AS_GIVEN
    given = plan.given
    changed = {name: value for name, value in trial.values.items() if plain(value) != given.get(name)}
    return ", ".join(f"{short_name(name)}={text(value)}" for name, value in changed.items()) or _AS_GIVEN


def best_table(plan: SearchPlan, trials: Sequence[Trial]) -> Table:
    """Returns the table of the best trials.

    Args:
        plan: Plan of the search.
        trials: Trials of the search.
    """
    table = Table(title=f"Best trials, by {plan.objective} on the eval split")
    for heading in ("", "trial", plan.objective, "epochs", "seconds"):
        table.add_column(heading, justify="right")
    table.add_column("changes to the settings")
    for rank, trial in enumerate(ranked(plan, trials)[:BEST], 1):
        epochs = f"{trial.epochs}{' (stopped)' if trial.status == 'stopped' else ''}"
        cells = [str(rank), str(trial.number), f"{trial.metric:.4f}", epochs, f"{trial.seconds:.0f}"]
        table.add_row(*cells, escape(changes(plan, trial)))
    return table


def space_lines(plan: SearchPlan) -> list[str]:
    """Returns a line for each hyper-parameter of the space, with the value of the settings as they are.

    Args:
        plan: Plan of the search.
    """
    lines = []
    for name, one in plan.space.items():
        if isinstance(one, Choice):
            values = ", ".join(text(value) for value in one.values)
        else:
            values = f"{text(one.low)} to {text(one.high)}{' (log)' if one.log else ''}"
        lines.append(f"  {name:<32} {values}  (now {text(plan.given.get(name))})")
    return lines


def short_name(name: str) -> str:
    """Returns the name of a hyper-parameter without its first part.

    Args:
        name: Name that begins with `options.` or `training.`.
    """
    return name.removeprefix(f"{OPTIONS}.").removeprefix(f"{TRAINING}.")


def text(value: Any) -> str:
    """Returns a value as it stands in a settings file, with four digits.

    Args:
        value: A value of a hyper-parameter.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(text(one) for one in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{name}: {text(one)}' for name, one in value.items())}}}"
    return f"{value:.4g}" if isinstance(value, float) else "not given" if value is None else str(value)


def plain(value: Any) -> Any:
    """Returns a value as JSON holds it: tuples as lists.

    Args:
        value: A value of a hyper-parameter.
    """
    return list(value) if isinstance(value, tuple) else value
