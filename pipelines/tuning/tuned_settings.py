"""Settings with the hyper-parameters of the best trial, as a file that `tfmtl run` accepts."""

import pathlib
from collections.abc import Sequence
from typing import Any

from pipelines.search.space import OPTIONS, TRAINING, with_drawn_values
from pipelines.tuning.plan import SearchPlan
from pipelines.tuning.report import plain, text
from pipelines.tuning.search import ranked
from pipelines.tuning.trials import Trial
from tfmtl.config import dump_yaml
from transforms.storage.atomic import atomic_file


def write_tuned_settings(path: pathlib.Path, plan: SearchPlan, trials: Sequence[Trial], source: str) -> Trial:
    """Writes the settings of the best trial.

    Args:
        path: File to write.
        plan: Plan of the search; the path of the log in its settings is written.
        trials: Trials of the search, one of which has not failed.
        source: Path of the settings that were tuned.

    Returns:
        The best trial.
    """
    best = ranked(plan, trials)[0]
    header = "".join(f"# {line}".rstrip() + "\n" for line in _header(path, plan, trials, best, source))
    with atomic_file(path) as temporary:
        pathlib.Path(temporary).write_text(header + dump_yaml(_tuned(plan, best)), encoding="utf-8")
    return best


def _header(path: pathlib.Path, plan: SearchPlan, trials: Sequence[Trial], best: Trial, source: str) -> list[str]:
    counts = {status: sum(one.status == status for one in trials) for status in ("stopped", "failed")}
    others = "".join(f", {count} {status}" for status, count in counts.items() if count)
    first = f" ({trials[0].metric:.4f} with the settings as they are)" if trials[0].metric is not None else ""
    metric = f"{plan.objective} {best.metric:.4f} on the eval split, epoch {best.epoch}{first}"
    lines = [
        f"Settings of {source} with the hyper-parameters of the best trial of a search.",
        "",
        f"Search:   {plan.method}, seed {plan.seed}, {len(trials)} trials{others}",
        f"Best:     trial {best.number}, {metric}",
        f"Command:  tfmtl run {path}",
    ]
    changed = changed_values(plan, best)
    return [
        *lines,
        *(["", "Changed:"] if changed else []),
        *(f"  {name}: {change}" for name, change in changed.items()),
    ]


def changed_values(plan: SearchPlan, best: Trial) -> dict[str, str]:
    """Returns the former and the new value of each changed hyper-parameter, as `0.01 -> 0.02`, by its name.

    Args:
        plan: Plan of the search.
        best: The best trial.
    """
    if best.number == 1:
        return {}
    return {
        name: f"{text(plan.given.get(name))} -> {text(value)}"
        for name, value in best.values.items()
        if plain(value) != plan.given.get(name)
    }


def _tuned(plan: SearchPlan, best: Trial) -> dict[str, Any]:
    """Returns the settings file with the values of a trial, the objective as monitor, and the path of the log."""
    data = dict(plan.document.data)
    drawn = best.values if best.number > 1 else {}
    model = {**data["model"], "options": with_drawn_values(data["model"].get("options") or {}, drawn, OPTIONS)}
    given = {**(data.get("training") or {}), "monitor": plan.objective}
    if any(name.startswith(f"{TRAINING}.optimizer.") for name in drawn):
        given.setdefault("optimizer", plan.training["optimizer"])
    training = with_drawn_values(given, drawn, TRAINING)
    log = {**(data.get("data") or {}), "path": plan.settings.data.path}
    tune = {"tune": {**data["tune"], "trials": 0}} if (data.get("tune") or {}).get("trials") else {}
    return {**data, "data": log, "model": model, "training": training, **tune}
