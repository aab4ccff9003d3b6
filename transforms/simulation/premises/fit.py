"""Premise of a world, made from its options and a sample of rows."""

import numpy as np

from tfmtl.spec import DatasetSpec
from transforms.simulation.effects import Effects
from transforms.simulation.options import SimulatorOptions
from transforms.simulation.premises.field_selection import FieldSelection
from transforms.simulation.premises.group_preferences import GroupPreferences
from transforms.simulation.premises.options import FieldSelectionOptions, GroupPreferencesOptions
from transforms.simulation.premises.premise import Premise, RowValues, ScaledPremise, standardized
from transforms.simulation.premises.relatedness import Relatedness


def fit_premise(
    spec: DatasetSpec, options: SimulatorOptions, effects: Effects, base: np.ndarray, rows: RowValues
) -> ScaledPremise | None:
    """Makes the premise of a world.

    Args:
        spec: Spec of the dataset.
        options: Options of the simulator.
        effects: Effects of the features.
        base: Scores of a sample of rows without the premise, `(rows, tasks)`.
        rows: Values of the features of the sample.

    Returns:
        The premise; None if there is none, or its strength is 0.
    """
    chosen = options.premise
    if chosen is None or chosen.strength == 0:
        return None
    premise: Premise
    if isinstance(chosen, GroupPreferencesOptions):
        premise = GroupPreferences(spec, options, chosen, rows)
    elif isinstance(chosen, FieldSelectionOptions):
        premise = FieldSelection(spec, options, chosen, effects, rows)
    else:
        premise = Relatedness(spec, options, chosen, standardized(base, base.mean(0), base.std(0)), rows)
    return ScaledPremise(premise, base, rows)
