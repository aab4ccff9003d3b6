"""Multi-task models: a dict of transformed features in, a dict of outputs by task out."""

import tfmtl.optimizers  # noqa: F401  A saved model is loaded with its optimizer, which has to be registered.
from tfmtl.models.base import MultiTaskModel
from tfmtl.models.mmoe import MMoE
from tfmtl.models.registry import MODELS, model_class
from tfmtl.models.shared_bottom import SharedBottom

__all__ = ["MODELS", "MMoE", "MultiTaskModel", "SharedBottom", "model_class"]
