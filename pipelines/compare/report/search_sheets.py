"""Results of the searches of a comparison: tables, the line of the page's header, and a note on the code."""

import collections
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.compare.jobs import run_code_hash
from pipelines.compare.plan.candidates import Candidate, Comparison
from pipelines.compare.plan.settings import CompareSettings
from pipelines.compare.report.sheets import Sheet
from pipelines.compare.runs.outcome import Outcome, Trial, mean_value, whole_trials
from pipelines.compare.runs.search import changed_values
from pipelines.compare.runs.trial_records import TRIALS, TrialRecord
from pipelines.search.space import OPTIONS, TRAINING

_AS_GIVEN = "settings as they are"


def search_sheets(comparison: Comparison, outcome: Outcome) -> list[Sheet]:
    """Creates the table of what was chosen, and that of the trials' metrics by their share of the rows.

    Args:
        comparison: The comparison.
        outcome: Runs of the comparison.

    Returns:
        The tables; none without finished trials.
    """
    rows = [candidate for candidate in comparison.candidates if outcome.trials.get(candidate.row)]
    if not rows:
        return []
    return [_chosen_sheet(comparison, rows, outcome), _progress_sheet(comparison, rows, outcome)]


def search_line(settings: CompareSettings, monitor: str) -> str:
    """Describes the search: its method, number of trials, metric and seed.

    Args:
        settings: Settings of the comparison.
        monitor: Name of the metric by which trials are compared.
    """
    if not settings.trials:
        return "no search of hyper-parameters"
    method = {"random": "random search", "bayesian": "Bayesian optimization"}.get(settings.search)
    how = f"{method}, {settings.trials} trials of each tunable row on all training rows"
    if method is None:
        rungs = [
            f"{rung.trials} on {_share(rung.rows_fraction)}"
            + (f" (at most {rung.max_epochs} epochs)" if rung.max_epochs else "")
            for rung in settings.halving.schedule(settings.trials)
        ]
        how = f"successive halving, {settings.trials} trials of each tunable row: {', then '.join(rungs)}"
    how = f"{how}; by {monitor} on the eval split, with the seed {settings.tuning_seed}"
    if settings.finalist_seeds:
        numbers = ", ".join(map(str, settings.finalist_seeds))
        seeds = f"the seeds {numbers}" if len(settings.finalist_seeds) > 1 else f"the seed {numbers}"
        others = f"the settings as they are and the best {settings.finalists - 1} of the others"
        how = f"{how}; then {others} with {seeds} as well, by the mean over all of these"
    return f"{how}; all of them in {TRIALS}"


def unique_records(outcome: Outcome) -> list[TrialRecord]:
    """Returns the records of the finished trials, once where rows share a trial.

    Args:
        outcome: Runs of the comparison.
    """
    records = [trial.record for trials in outcome.trials.values() for trial in trials]
    return list({record.key: record for record in records}.values())


def code_note(outcome: Outcome) -> str:
    """Describes the versions of the code that ran the trials; empty if it was the current one alone.

    Args:
        outcome: Runs of the comparison.
    """
    counts = collections.Counter(
        (record.code, ", ".join(f"{name} {version}" for name, version in sorted(record.versions.items())))
        for record in unique_records(outcome)
    )
    if not counts or (len(counts) == 1 and next(iter(counts))[0] == run_code_hash()):
        return ""
    versions = "; ".join(f"{count} by {code} ({libraries})" for (code, libraries), count in counts.most_common())
    return f"Trials are used whatever code ran them, as they only choose hyper-parameters: {versions}."


def _chosen_sheet(comparison: Comparison, rows: Sequence[Candidate], outcome: Outcome) -> Sheet:
    lines = []
    for candidate in rows:
        trials = whole_trials(outcome.trials[candidate.row])
        number = outcome.chosen.get(candidate.row)
        chosen = [] if number is None else trials[number]
        changes = _changes(candidate, chosen[0]) if chosen else "none yet"
        before, after = (_shown(comparison.monitor, ones) for ones in (trials.get(0, []), chosen))
        lines.append([candidate.row, "" if number is None else str(number + 1), changes, before, after])
    columns = ["model", "trial", "values: before -> chosen", "before", "chosen"]
    count = 1 + len(comparison.settings.finalist_seeds)
    seeds = "one seed" if count == 1 else f"mean over {count} seeds"
    return Sheet(f"What was chosen, by {comparison.monitor} on the eval split ({seeds})", columns, lines, 3)


def _progress_sheet(comparison: Comparison, rows: Sequence[Candidate], outcome: Outcome) -> Sheet:
    repeated = set(comparison.settings.finalist_seeds)
    by_share = {
        candidate.row: _by_share([one for one in outcome.trials[candidate.row] if one.job.seed not in repeated])
        for candidate in rows
    }
    shares = sorted({share for groups in by_share.values() for share in groups})
    lines = []
    for row, groups in by_share.items():
        cells = []
        for share in shares:
            trials = groups.get(share, [])
            values = sorted(trial.value for trial in trials if trial.value is not None)
            sign = _sign(comparison.monitor)
            spread = f"{sign * statistics.median(values):.4f} / {sign * values[-1]:.4f}" if values else ""
            cells += [str(len(trials)), spread]
        lines.append([row, *cells])
    columns = ["model", *(heading for share in shares for heading in ("trials", f"{_share(share)}:\nmedian / best"))]
    return Sheet(f"Progress of the search: {comparison.monitor} on the eval split by training rows", columns, lines)


def _by_share(trials: Sequence[Trial]) -> dict[float, list[Trial]]:
    groups: dict[float, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(trial.job.rows_fraction, []).append(trial)
    return groups


def _changes(candidate: Candidate, trial: Trial) -> str:
    changed = changed_values(candidate, trial.job)
    parts = [f"{_short(name)} {_text(candidate.given.get(name))} -> {_text(value)}" for name, value in changed.items()]
    return ", ".join(parts) or _AS_GIVEN


def _short(name: str) -> str:
    return name.removeprefix(f"{OPTIONS}.").removeprefix(f"{TRAINING}.").removeprefix("backbone_options.")


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{name}: {_text(one)}' for name, one in value.items())}}}"
    return f"{value:.4g}" if isinstance(value, float) else "default" if value is None else str(value)


def _shown(monitor: str, trials: Sequence[Trial]) -> str:
    mean = mean_value(trials)
    return "" if mean is None else f"{_sign(monitor) * mean:.4f}"


def _sign(monitor: str) -> int:
    """Returns -1 for a loss, whose value as a score is its negative."""
    return -1 if monitor.endswith("loss") else 1


def _share(fraction: float) -> str:
    return "all rows" if fraction == 1 else f"{100 * fraction:.0f} % of the rows"
