"""Small models of every kind in the package, with their options and data."""

from tests.tfmtl import cases, panel_cases
from tests.tfmtl.model_harness import randomized
from tfmtl.models import MODELS

_ONE_BANK = {"num_experts": 3, "expert_units": [6, 5], "tower_units": [4]}
_EXPERTS_OF_TASKS = {"num_shared": 2, "num_per_task": 1, "expert_units": [6, 5], "tower_units": [4]}
BASELINES = {
    "single_task": {"tower_units": [6, 4]},
    "cross_stitch": {"network_units": [6, 5], "tower_units": [4]},
    "omoe": _ONE_BANK,
    "cgc": _EXPERTS_OF_TASKS,
    "ple": _EXPERTS_OF_TASKS,
    "mran": {"anchor_dim": 3, "tower_units": [5, 4]},
}
OPTIONS = {
    **BASELINES,
    "shared_bottom": {"bottom_units": [6, 5], "tower_units": [4]},
    "mmoe": _ONE_BANK,
    "man": _EXPERTS_OF_TASKS,
    "apem": {"num_layers": 2, "num_points": 4, "tower_units": [4]},
    "aitm": {"bottom_units": [6, 5]},
    "esmm": {"tower_units": [5, 3]},
    "escm2_ips": {"tower_units": [5, 3]},
    "escm2_dr": {"tower_units": [5, 3]},
    "autoheri": {"network_units": [6, 5]},
    "adaftr": {"backbone_options": {"num_experts": 2, "expert_units": [6], "tower_units": [6, 4]}},
    "m2m": panel_cases.OPTIONS,
}
"""Options by the name in the registry. A model has to be listed here to be part of the tests of all models."""


def data_of(name):
    """Returns the spec and the sizes of the vocabularies: the chain click -> buy, or panels for models of panels."""
    return (panel_cases.SPEC, panel_cases.SIZES) if name == "m2m" else (cases.pair(), cases.SIZES)


def rows_of(name, rows):
    """Returns random features and labels of `data_of`."""
    if name == "m2m":
        return panel_cases.features(rows), panel_cases.labels(rows)
    return cases.features(rows), cases.labels(cases.pair(), rows)


def tiny(name, spec=None, sizes=None, **options):
    """Returns a model with its initial weights, for the data of `data_of` by default."""
    own_spec, own_sizes = data_of(name)
    options = {"embedding_dim": 4, **OPTIONS[name], **options}
    return MODELS[name].from_spec(spec or own_spec, sizes or own_sizes, **options)


def tiny_randomized(name, spec=None, sizes=None, **options):
    """Returns a model with random weights, including biases, large enough that every part matters."""
    return randomized(tiny(name, spec, sizes, **options), 0.6)
