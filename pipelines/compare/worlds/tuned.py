"""Settings that a search has chosen, for comparisons on other logs."""

import dataclasses
from collections.abc import Mapping

from pipelines.compare.jobs import Job
from pipelines.compare.plan.candidates import Comparison


def with_chosen(comparison: Comparison, chosen: Mapping[str, Job]) -> Comparison:
    """Returns a comparison without a search, whose rows have the options and training of the chosen trials.

    Args:
        comparison: The comparison.
        chosen: Job of the chosen trial by row; a row without one stays as it is.
    """
    candidates = tuple(
        dataclasses.replace(one, options=chosen[one.row].options, training=chosen[one.row].training)
        if one.row in chosen
        else one
        for one in comparison.candidates
    )
    settings = dataclasses.replace(comparison.settings, trials=0)
    return dataclasses.replace(comparison, settings=settings, candidates=candidates)
