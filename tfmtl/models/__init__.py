"""Multi-task models: a dict of transformed features in, a dict of outputs by task out."""

import tfmtl.optimizers  # noqa: F401  A saved model is loaded with its optimizer, which has to be registered.
from tfmtl.models.adaftr import AdaFTR
from tfmtl.models.aitm import AITM
from tfmtl.models.apem import APEM
from tfmtl.models.autoheri import AutoHERI
from tfmtl.models.cgc import CustomizedGateControl
from tfmtl.models.core.multi_task_model import MultiTaskModel
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
from tfmtl.models.registry import MODELS, model_class
from tfmtl.models.shared_bottom import SharedBottom
from tfmtl.models.single_task import SingleTask

__all__ = [
    "AITM",
    "APEM",
    "ESCM2DR",
    "ESCM2IPS",
    "ESMM",
    "M2M",
    "MAN",
    "MODELS",
    "MRAN",
    "PLE",
    "AdaFTR",
    "AutoHERI",
    "CrossStitchNetwork",
    "CustomizedGateControl",
    "MMoE",
    "MultiTaskModel",
    "OMoE",
    "SharedBottom",
    "SingleTask",
    "model_class",
]
