"""From the scores of a model to the decision: models that were pushed before there were gates, and all combinations."""

import dataclasses
import itertools

import numpy as np
import pytest

from pipelines.evaluation.evaluation import Evaluation
from pipelines.gates.gate import failed
from pipelines.gates.metric_gates import metric_gates
from pipelines.gates.report import refusal
from pipelines.gates.thresholds import ScenarioThresholds, Thresholds
from tests.pipelines.evaluation.scored_cases import OUTPUTS, SPEC, batch, part

WHOLE = batch(20_000)
SEARCH = WHOLE.scenarios == b"search"


def changed(whole, output, function, rows=slice(None)):
    """Returns the batch with other scores of an output in some rows."""
    scores = whole.scores[output].copy()
    scores[rows] = function(scores[rows])
    return dataclasses.replace(whole, scores={**whole.scores, output: scores})


def gates(whole, thresholds=None):
    evaluation = Evaluation(SPEC)
    evaluation.add(whole)
    return metric_gates(evaluation.measured(), OUTPUTS, thresholds or {})


def test_a_good_model_passes():
    assert not failed(gates(WHOLE))


@pytest.mark.parametrize(
    ("model", "thresholds", "reason"),
    [
        (changed(WHOLE, "ctr", lambda p: 0 * p + 0.2), {}, "all scores of ctr are 0.2"),
        (changed(WHOLE, "ctr", lambda p: p * np.nan, slice(5)), {}, "5 of 20,000 scores of ctr are NaN or infinite"),
        (part(WHOLE, slice(40)), {}, "no output has enough test rows to judge the model"),
        (part(WHOLE, slice(40)), {"ctr": Thresholds()}, "ctr has 40 test rows, too few to judge it"),
        (changed(WHOLE, "ctr", lambda p: 1 - p, SEARCH), {}, "the auc of ctr in search is"),
        (changed(WHOLE, "ctr", lambda p: p / 4, SEARCH), {}, "the calibration of ctr in search is"),
        (changed(WHOLE, "ctr", lambda p: p / 4), {}, "the calibration of ctr is"),
        (
            WHOLE,
            {"ctr": Thresholds(slices={"page": ScenarioThresholds(required=("basket",))})},
            "the test split has no row of the required scenario basket",
        ),
        (
            dataclasses.replace(WHOLE, scores={n: s for n, s in WHOLE.scores.items() if n != "buy"}),
            {},
            "there is no test row, or no score, of buy",
        ),
        (changed(WHOLE, "pay", lambda p: 3 * p), {}, "the nmae of pay is"),
    ],
)
def test_a_bad_model_is_refused_and_the_sentence_says_why(model, thresholds, reason):
    assert reason in refusal(gates(model, thresholds))


def test_a_model_that_loses_against_the_served_one_is_refused_only_beyond_its_uncertainty():
    swapped = dataclasses.replace(WHOLE, scores=WHOLE.baseline, baseline=WHOLE.scores)
    assert "the auc of ctr changed by -0." in refusal(gates(swapped))
    few = gates(part(swapped, slice(400)), {"ctr": Thresholds(max_auc_drop=0.02)})
    assert not [gate for gate in failed(few) if gate.output == "ctr"]


FAULTS = {
    "constant": lambda whole: changed(whole, "buy", lambda p: 0 * p + 0.1),
    "not finite": lambda whole: changed(whole, "ctr", lambda p: p * np.inf, slice(3)),
    "inverted": lambda whole: changed(whole, "buy_given_click", lambda p: 1 - p),
    "miscalibrated": lambda whole: changed(whole, "pay", lambda p: p / 3),
}


@pytest.mark.parametrize("faults", [c for n in range(5) for c in itertools.combinations(FAULTS, n)], ids="-".join)
def test_every_combination_of_faults_is_refused_for_each_of_its_outputs(faults):
    model = WHOLE
    for name in faults:
        model = FAULTS[name](model)
    outputs = {"constant": "buy", "not finite": "ctr", "inverted": "buy_given_click", "miscalibrated": "pay"}
    assert {gate.output for gate in failed(gates(model))} == {outputs[name] for name in faults}
