"""Small baselines that tests share."""

from tests.tfmtl import cases
from tests.tfmtl.model_harness import randomized
from tfmtl.models import MODELS

_EXPERTS = {"num_shared": 2, "num_per_task": 1, "expert_units": [6, 5], "tower_units": [4]}
OPTIONS = {
    "single_task": {"tower_units": [6, 4]},
    "cross_stitch": {"network_units": [6, 5], "tower_units": [4]},
    "omoe": {"num_experts": 3, "expert_units": [6, 5], "tower_units": [4]},
    "cgc": _EXPERTS,
    "ple": _EXPERTS,
}


def model_of(name, spec=None, sizes=cases.SIZES, **options):
    """A model whose weights, biases too, are such that every part of it counts."""
    spec = cases.chain() if spec is None else spec
    return randomized(MODELS[name].from_spec(spec, sizes, **{"embedding_dim": 3, **OPTIONS[name], **options}), 0.6)
