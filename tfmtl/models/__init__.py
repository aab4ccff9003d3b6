"""Multi-task models: a dict of transformed features in, a dict of outputs by task out."""

import tfmtl.optimizers  # noqa: F401  A saved model is loaded with its optimizer, which has to be registered.
from tfmtl.models.adaftr import AdaFTR
from tfmtl.models.apem import APEM
from tfmtl.models.base import MultiTaskModel
from tfmtl.models.m2m import M2M
from tfmtl.models.man import MAN
from tfmtl.models.mmoe import MMoE
from tfmtl.models.registry import MODELS, model_class
from tfmtl.models.shared_bottom import SharedBottom

__all__ = ["APEM", "M2M", "MAN", "MODELS", "AdaFTR", "MMoE", "MultiTaskModel", "SharedBottom", "model_class"]
