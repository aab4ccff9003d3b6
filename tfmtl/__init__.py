"""Multi-task conversion models for ads and recommendation, in Keras 3 on TensorFlow."""

from tfmtl.spec import DatasetSpec

__all__ = ["DatasetSpec"]
__version__ = "0.1.0"
