"""Command `tfmtl compare` on a comparison over worlds: runs each world at each strength, and writes one page."""

import dataclasses
import pathlib
import shlex
import sys

from pipelines.commands.compare import REPORT, CompareArguments, Compared, compare_models
from pipelines.compare.jobs import Job
from pipelines.compare.runs.search import is_whole
from pipelines.compare.worlds.gains import WorldGain, world_gain
from pipelines.compare.worlds.page import PAGE, baselines_of, sentences, world_sheet, write_page
from pipelines.compare.worlds.settings import WorldsPlan
from pipelines.compare.worlds.tuned import with_chosen
from pipelines.output.invocation import present
from pipelines.terminal import console


def compare_worlds(plan: WorldsPlan, arguments: CompareArguments) -> bool:
    """Runs what is missing of all worlds and strengths, prints the tables and writes the page.

    The searches run at the strength of the settings; their trials are kept beside the page. Every comparison has a
    folder and a page of its own.

    Args:
        plan: The validated comparison over worlds.
        arguments: Arguments of the command line.

    Returns:
        True if no run failed.
    """
    root = pathlib.Path(arguments.out) if arguments.out else pathlib.Path("runs") / plan.settings.name
    report = pathlib.Path(arguments.report) if arguments.report else root / REPORT
    gains: dict[str, list[WorldGain]] = {}
    failed = False
    for name, world in plan.settings.worlds.items():
        chosen: dict[str, Job] = {}
        points = []
        for strength in plan.strengths():
            comparison = plan.comparisons[name, strength]
            if chosen:
                comparison = with_chosen(comparison, chosen)
            part = f"{name}_{strength:g}"
            compared = compare_models(
                comparison, dataclasses.replace(arguments, out=str(root / part), report=str(report / part))
            )
            chosen = chosen or chosen_jobs(compared)
            failed = failed or bool(compared.outcome.failed)
            points.append(world_gain(name, world, strength, comparison, compared.table))
        gains[name] = sorted(points, key=lambda one: one.strength)
    present(
        {"worlds": [point for points in gains.values() for point in points], "report": report / PAGE},
        *(world_sheet(one, baselines_of(plan, name)).rich() for name, one in gains.items()),
        *sentences(gains),
    )
    write_page(report, plan, gains, shlex.join([pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]))
    console.print(f"tables and figure -> {report / PAGE}", highlight=False)
    return not failed


def chosen_jobs(compared: Compared) -> dict[str, Job]:
    """Returns the job of the chosen trial of each row that was searched.

    Args:
        compared: Result of the comparison with the search.
    """
    outcome = compared.outcome
    return {
        row: next(trial.job for trial in outcome.trials[row] if trial.job.trial == number and is_whole(trial.job))
        for row, number in outcome.chosen.items()
    }
