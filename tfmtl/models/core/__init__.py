"""The base class of all models and its parts: options, heads, losses."""

from tfmtl.models.core.multi_task_model import MultiTaskModel

__all__ = ["MultiTaskModel"]
