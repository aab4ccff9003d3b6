"""Request log of the embedded server: a sample of the requests and answers, as TFRecord files of `PredictionLog`s.

A file can be copied to `assets.extra/tf_serving_warmup_requests` of an export as it is, and its requests compared with
the rows that a model was trained on.
"""

from serving.request_log.log import RequestLog
from serving.request_log.options import RequestLogOptions

__all__ = ["RequestLog", "RequestLogOptions"]
