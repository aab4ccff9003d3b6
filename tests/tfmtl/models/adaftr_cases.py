"""Models that the tests of AdaFTR share."""

from tests.tfmtl import cases
from tests.tfmtl.model_harness import randomized
from tfmtl.models import AdaFTR

ROWS = 24
SPEC = cases.chain()
FEATURES = cases.features(ROWS)
LABELS = cases.labels(SPEC, ROWS)
BACKBONES = {
    "mmoe": {"num_experts": 2, "expert_units": [5], "tower_units": [6, 4]},
    "shared_bottom": {"bottom_units": [5], "tower_units": [6, 4]},
    "man": {"num_shared": 1, "num_per_task": 1, "expert_units": [5], "tower_units": [6, 4]},
    "ple": {"num_shared": 1, "num_per_task": 1, "expert_units": [5], "tower_units": [6, 4]},
    "apem": {"num_points": 3, "num_layers": 1, "tower_units": [6, 4]},
}


def adaftr(backbone="mmoe", spec=SPEC, **options) -> AdaFTR:
    """Model whose weights, including biases, are so large that every part of it matters."""
    options = {"embedding_dim": 4, "relatedness_units": [3], **options}
    return randomized(
        AdaFTR.from_spec(spec, cases.SIZES, backbone=backbone, backbone_options=BACKBONES[backbone], **options), 0.6
    )
