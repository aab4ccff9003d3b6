"""Models by the name under which settings and the command line know them."""

from tfmtl.models.base import MultiTaskModel
from tfmtl.models.mmoe import MMoE
from tfmtl.models.shared_bottom import SharedBottom

MODELS: dict[str, type[MultiTaskModel]] = {
    "mmoe": MMoE,
    "shared_bottom": SharedBottom,
}


def model_class(name: str) -> type[MultiTaskModel]:
    """The model of that name. Raises `ValueError`, naming those there are, if there is none."""
    if name not in MODELS:
        raise ValueError(f"model should be one of {', '.join(sorted(MODELS))}. Received: {name!r}")
    return MODELS[name]
