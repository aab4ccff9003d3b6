"""Selection of the fields that act on a row by its context."""

import itertools

import numpy as np

from tfmtl.spec import DatasetSpec
from transforms.simulation.draws import Draws
from transforms.simulation.effects import Effects
from transforms.simulation.options import SimulatorOptions
from transforms.simulation.premises.options import FieldSelectionOptions
from transforms.simulation.premises.premise import RowValues, mix, standardized


class FieldSelection:
    r"""Scores in which only the fields that the context selects act, the premise of APEM.

    The effect of the premise is

    $$\frac{1}{\sqrt{k}} \sum_{f \in S(c)} e_f(x_f)$$

    with the set $S(c)$ of $k$ fields that the context $c$ of the row selects, and the main effects $e_f$ of the fields,
    those of `Effects`, with mean 0 and standard deviation 1. The sets of all contexts are different, and each field is
    in about the same number of sets.

    Args:
        spec: Spec of the dataset.
        options: Options of the simulator.
        premise: Options of the premise.
        effects: Main effects of the features.
        rows: Values of the features of a sample of rows.

    Attributes:
        fields: Names of the fields.
        selected: Mask of the fields that each value of the context selects, `(values, fields)`; the last row is that of
            a missing value.
    """

    def __init__(
        self,
        spec: DatasetSpec,
        options: SimulatorOptions,
        premise: FieldSelectionOptions,
        effects: Effects,
        rows: RowValues,
    ):
        self._premise, self._effects = premise, effects
        self.fields = premise.field_names(spec, options.features)
        contexts = options.features[premise.context].size + 1
        self.selected = _draw_selections(options.seed, contexts, len(self.fields), premise.fields)
        samples = {name: effects.main_effects(name, rows.of(name)) for name in self.fields}
        self._moments = {name: (sample.mean(0), sample.std(0)) for name, sample in samples.items()}

    def scores(self, base: np.ndarray, rows: RowValues) -> np.ndarray:
        """Returns the scores of rows with the premise, `(rows, tasks)`.

        Args:
            base: Scores without the premise, of mean 0 and standard deviation 1 on a sample of rows, `(rows, tasks)`.
            rows: Values of the rows' features.
        """
        selected = self.selected[rows.codes(self._premise.context)]
        effect = np.zeros_like(base)
        for i, name in enumerate(self.fields):
            main = self._effects.main_effects(name, rows.of(name))
            effect += selected[:, i, None] * standardized(main, *self._moments[name])
        return mix(base, effect / np.sqrt(self._premise.fields), self._premise.strength)


def _draw_selections(seed: int, contexts: int, fields: int, count: int) -> np.ndarray:
    """Draws different sets of `count` fields, one for each context, as a mask `(contexts, fields)`.

    Each set has the fields that are in the fewest of the sets before it, in random order. If that set exists, the
    random part of the order gets more weight.
    """
    selected = np.zeros((contexts, fields), bool)
    draws = Draws(seed, "premise", 0, fields)
    for context in range(contexts):
        for attempt in itertools.count(1):
            noise = draws.uniform(f"selection/{context}/{attempt}")[:, 0]
            chosen = np.argsort(selected[:context].sum(0) + attempt * noise)[:count]
            mask = np.isin(np.arange(fields), chosen)
            if not (selected[:context] == mask).all(1).any():
                selected[context] = mask
                break
    return selected
