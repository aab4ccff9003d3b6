"""Models by the name under which settings and the command line know them."""

from tfmtl.models.adaftr import AdaFTR
from tfmtl.models.apem import APEM
from tfmtl.models.base import MultiTaskModel
from tfmtl.models.m2m import M2M
from tfmtl.models.man import MAN
from tfmtl.models.mmoe import MMoE
from tfmtl.models.shared_bottom import SharedBottom

MODELS: dict[str, type[MultiTaskModel]] = {
    "adaftr": AdaFTR,
    "apem": APEM,
    "m2m": M2M,
    "man": MAN,
    "mmoe": MMoE,
    "shared_bottom": SharedBottom,
}


def model_class(name: str) -> type[MultiTaskModel]:
    """The model of that name. Raises `ValueError`, naming those there are, if there is none."""
    if name not in MODELS:
        raise ValueError(f"model should be one of {', '.join(sorted(MODELS))}. Received: {name!r}")
    return MODELS[name]
