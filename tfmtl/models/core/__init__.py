"""The base class of all models and its parts: heads and losses."""

import tfmtl.models._requires_tensorflow  # Its error should precede all others.
import tfmtl.optimizers
import tfmtl.training.architecture_search  # Loading a saved model requires its optimizer and its strategy.
import tfmtl.training.meta_learning  # noqa: F401
from tfmtl.models.core.multi_task_model import MultiTaskModel

__all__ = ["MultiTaskModel"]
