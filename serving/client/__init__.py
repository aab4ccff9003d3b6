"""Clients of TensorFlow Serving and of the embedded server: they take rows and return an array for each prediction.

They import neither TensorFlow nor pandas nor Arrow.
"""

from serving.client.asynchronous import AsyncTfmtlClient
from serving.client.blocking import TfmtlClient
from serving.client.model import RAW, SERVING_DEFAULT
from serving.client.predictions import Predictions
from serving.description import ModelDescription
from serving.errors import PredictionError, RowError
from serving.metadata import ModelMetadata, ModelVersionStatus

__all__ = [
    "RAW",
    "SERVING_DEFAULT",
    "AsyncTfmtlClient",
    "ModelDescription",
    "ModelMetadata",
    "ModelVersionStatus",
    "PredictionError",
    "Predictions",
    "RowError",
    "TfmtlClient",
]
