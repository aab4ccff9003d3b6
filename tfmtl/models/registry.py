"""Models by the name under which settings and the command line know them."""

from tfmtl.models.adaftr import AdaFTR
from tfmtl.models.aitm import AITM
from tfmtl.models.apem import APEM
from tfmtl.models.autoheri import AutoHERI
from tfmtl.models.base import MultiTaskModel
from tfmtl.models.cgc import CustomizedGateControl
from tfmtl.models.cross_stitch import CrossStitchNetwork
from tfmtl.models.escm2_dr import ESCM2DR
from tfmtl.models.escm2_ips import ESCM2IPS
from tfmtl.models.esmm import ESMM
from tfmtl.models.m2m import M2M
from tfmtl.models.man import MAN
from tfmtl.models.mmoe import MMoE
from tfmtl.models.mran import MRAN
from tfmtl.models.omoe import OMoE
from tfmtl.models.ple import PLE
from tfmtl.models.shared_bottom import SharedBottom
from tfmtl.models.single_task import SingleTask

MODELS: dict[str, type[MultiTaskModel]] = {
    "adaftr": AdaFTR,
    "aitm": AITM,
    "apem": APEM,
    "autoheri": AutoHERI,
    "cgc": CustomizedGateControl,
    "cross_stitch": CrossStitchNetwork,
    "escm2_dr": ESCM2DR,
    "escm2_ips": ESCM2IPS,
    "esmm": ESMM,
    "m2m": M2M,
    "man": MAN,
    "mmoe": MMoE,
    "mran": MRAN,
    "omoe": OMoE,
    "ple": PLE,
    "shared_bottom": SharedBottom,
    "single_task": SingleTask,
}


def model_class(name: str) -> type[MultiTaskModel]:
    """The model of that name. Raises `ValueError`, naming those there are, if there is none."""
    if name not in MODELS:
        raise ValueError(f"model should be one of {', '.join(sorted(MODELS))}. Received: {name!r}")
    return MODELS[name]
