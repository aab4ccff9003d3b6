"""Multi-task models: a dict of transformed features in, a dict of outputs by name out.

Each model is a Keras model with a class of options. `register_model` adds further models.
"""

import tfmtl.models._requires_tensorflow  # Its error should precede all others.
import tfmtl.optimizers  # noqa: F401  Loading a saved model requires that its optimizer is registered.
from tfmtl.models.adaftr import AdaFTR
from tfmtl.models.adaftr_options import AdaFTROptions
from tfmtl.models.aitm import AITM, AITMOptions
from tfmtl.models.apem import APEM, APEMOptions
from tfmtl.models.autoheri import AutoHERI, AutoHERIOptions
from tfmtl.models.cgc import CGCOptions, CustomizedGateControl
from tfmtl.models.core.batches import RowWeights
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.cross_stitch import CrossStitchNetwork, CrossStitchOptions
from tfmtl.models.escm2_dr import ESCM2DR, ESCM2DROptions
from tfmtl.models.escm2_ips import ESCM2IPS, ESCM2Options
from tfmtl.models.esmm import ESMM, ESMMOptions
from tfmtl.models.m2m import M2M
from tfmtl.models.m2m_options import M2MOptions
from tfmtl.models.man import MAN, MANOptions
from tfmtl.models.mmoe import MMoE, MMoEOptions
from tfmtl.models.mran import MRAN, MRANOptions
from tfmtl.models.omoe import OMoE, OMoEOptions
from tfmtl.models.options.base import ModelOptions
from tfmtl.models.ple import PLE, PLEOptions
from tfmtl.models.registry import MODELS, model_class, register_model
from tfmtl.models.shared_bottom import SharedBottom, SharedBottomOptions
from tfmtl.models.single_task import SingleTask, SingleTaskOptions

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
    "AITMOptions",
    "APEMOptions",
    "AdaFTR",
    "AdaFTROptions",
    "AutoHERI",
    "AutoHERIOptions",
    "CGCOptions",
    "CrossStitchNetwork",
    "CrossStitchOptions",
    "CustomizedGateControl",
    "ESCM2DROptions",
    "ESCM2Options",
    "ESMMOptions",
    "M2MOptions",
    "MANOptions",
    "MMoE",
    "MMoEOptions",
    "MRANOptions",
    "ModelOptions",
    "MultiTaskModel",
    "OMoE",
    "OMoEOptions",
    "PLEOptions",
    "RowWeights",
    "SharedBottom",
    "SharedBottomOptions",
    "SingleTask",
    "SingleTaskOptions",
    "model_class",
    "register_model",
]
