"""Command `tfmtl tune`: searches hyper-parameters on the eval split and writes the settings of the best trial."""

import dataclasses
import json
import pathlib
from typing import Any

from rich.text import Text

from pipelines.fork_server import TRAINING_LIBRARIES, ForkServer
from pipelines.output.invocation import present
from pipelines.preparation import LOG, prepare, simulated_log
from pipelines.terminal import ComponentProgress, console, working
from pipelines.tuning.plan import SearchPlan
from pipelines.tuning.report import SearchProgress, best_table, space_lines
from pipelines.tuning.request import trial_code_hash
from pipelines.tuning.search import in_worker, ranked, search
from pipelines.tuning.trials import TRIALS, Trial, TrialFolder, locked_trials
from pipelines.tuning.tuned_settings import write_tuned_settings

TUNED, SEARCH = "tuned.yaml", "search.json"


def tune_settings(plan: SearchPlan, source: str, out: str, trials: int) -> bool:
    """Runs the trials that the folder does not have, prints the best ones, and writes the settings of the best one.

    Args:
        plan: Plan of the search.
        source: Path of the settings.
        out: Folder to write to.
        trials: Number of trials.

    Returns:
        True if a trial has not failed.

    Raises:
        ConfigError: If another search uses the folder.
    """
    root = pathlib.Path(out)
    console.print(f"search for {plan.settings.name!r} -> {root}", highlight=False)
    with locked_trials(root):
        return _tune(plan, source, root, trials)


def _tune(plan: SearchPlan, source: str, root: pathlib.Path, trials: int) -> bool:
    if not plan.settings.data.path:
        with working("simulating the log ..."):
            log = simulated_log(plan.settings, root / LOG)
        data_settings = dataclasses.replace(plan.settings.data, path=str(log))
        plan = dataclasses.replace(plan, settings=dataclasses.replace(plan.settings, data=data_settings))
    data = prepare(plan.settings, root, ComponentProgress(console))
    folder = TrialFolder(root / TRIALS / plan.key(data.fingerprint))
    (folder.root / SEARCH).write_text(json.dumps(plan.to_plain(data.fingerprint), indent=1), encoding="utf-8")
    console.print(f"rows: {data.rows['train']:,} train, {data.rows['eval']:,} eval", highlight=False)
    console.print(f"space of {trials} trials, {plan.method} search with seed {plan.seed}:", highlight=False)
    for line in space_lines(plan):
        console.print(line, highlight=False, markup=False)
    kept = len(folder.load(trials))
    if kept:
        console.print(f"{kept} of {trials} trials were finished before", highlight=False)
    progress = SearchProgress(console, plan, trials, data.rows["train"])
    with ForkServer(TRAINING_LIBRARIES) as workers:
        done = search(plan, data.fingerprint, folder, trials, in_worker(data, workers.run), progress)
    return _report(plan, source, root, folder, done)


def _report(plan: SearchPlan, source: str, root: pathlib.Path, folder: TrialFolder, trials: list[Trial]) -> bool:
    for trial in trials:
        if trial.status == "failed":
            console.print(f"output of trial {trial.number}: {folder.log(trial.number)}", highlight=False)
    other = sum(trial.code != trial_code_hash() for trial in trials)
    if other:
        console.print(
            f"{other} of {len(trials)} trials were run by another version of the code; to run them again, "
            f"delete {folder.root}",
            style="yellow",
            highlight=False,
        )
    document: dict[str, Any] = {"objective": plan.objective, "trials": trials, "best": None, "settings": None}
    if not ranked(plan, trials):
        present(document, Text("All trials failed.", style="bold red"))
        return False
    path = root / TUNED
    best = write_tuned_settings(path, plan, trials, source)
    document |= {"best": best.number, "settings": path}
    present(document, best_table(plan, trials))
    if best.number == 1:
        console.print("No trial is better than the settings as they are.", highlight=False)
    console.print(f"settings of trial {best.number} -> {path}", highlight=False)
    console.print(f"to train it and measure it on the test split: tfmtl run {path}", highlight=False)
    return True
