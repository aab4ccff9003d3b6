"""The base class of all models and its parts: heads and losses."""

from tfmtl.models.core.multi_task_model import MultiTaskModel

__all__ = ["MultiTaskModel"]
