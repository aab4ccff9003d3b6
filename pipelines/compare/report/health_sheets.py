"""Table of the health of mechanisms, and notes that name the dead ones."""

from collections.abc import Iterator, Mapping, Sequence

from pipelines.compare.metrics.significance import summarize
from pipelines.compare.report.sheets import Sheet
from pipelines.compare.runs.result import Result
from tfmtl.health import MEASURES, Health
from tfmtl.health.health import describe
from tfmtl.health.summary import worst

Runs = Mapping[str, Sequence[Result]]
TITLE = "Health of mechanisms (mean ± sd over runs)"
_COLUMNS = ("model", "mechanism", "measure", "mean", "worst", "alive if", "dead in")


def health_sheets(runs: Runs) -> list[Sheet]:
    """Creates the table of the health of mechanisms; none if no row of the comparison has a mechanism.

    Mechanisms of one kind, such as the gates of all tasks, are one line: the mean over them in each run, with its
    standard deviation over the runs; the worst value of all; and the number of dead ones among all.

    Args:
        runs: Finished runs by row.
    """
    lines = [
        [row, *_cells([run.health for run in results], kind, measure)]
        for row, results in runs.items()
        for kind, measure in dict.fromkeys((one.kind, one.measure) for run in results for one in run.health)
    ]
    return [Sheet(TITLE, _COLUMNS, lines, 3)] if lines else []


def dead_notes(runs: Runs) -> list[str]:
    """Returns a note for each row of the comparison with a dead mechanism, which says in words what is wrong with it.

    Args:
        runs: Finished runs by row.
    """
    notes = []
    for row, results in runs.items():
        sentences = " ".join(_dead_sentences(results))
        if sentences:
            notes.append(f"DEAD mechanisms of {row}: {sentences}")
    return notes


def _cells(healths: Sequence[Sequence[Health]], kind: str, measure: str) -> Iterator[str]:
    """Yields the cells of a kind of mechanism and a measure, from the health of each run."""
    by_run = [[one for one in run if (one.kind, one.measure) == (kind, measure)] for run in healths]
    by_run = [run for run in by_run if run]
    found = [one for run in by_run for one in run]
    number = MEASURES[measure].number
    summary = summarize({i: sum(one.value for one in run) / len(run) for i, run in enumerate(by_run)})
    yield kind.replace("_", " ")
    yield MEASURES[measure].title
    yield number(summary.mean) + (f"±{number(summary.sd)}" if len(by_run) > 1 else "")
    bound = found[0].bound
    yield number(worst([one.value for one in found], bound.low)) if str(bound) else ""
    yield str(bound)
    yield f"{sum(not one.alive for one in found)} of {len(found)}" if str(bound) else ""


def _dead_sentences(results: Sequence[Result]) -> Iterator[str]:
    """Yields a sentence for each mechanism and measure that is dead in a run, with the mean over those runs."""
    dead: dict[tuple[str, str], list[Health]] = {}
    for run in results:
        for one in run.health:
            if not one.alive:
                dead.setdefault((one.mechanism, one.measure), []).append(one)
    for (mechanism, measure), found in dead.items():
        mean = sum(one.value for one in found) / len(found)
        sentence = describe(mechanism, measure, mean, found[0].bound)
        yield sentence.removesuffix(".") + (f", in {len(found)} of {len(results)} runs." if len(results) > 1 else ".")
