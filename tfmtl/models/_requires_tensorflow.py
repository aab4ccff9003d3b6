"""Check that Keras runs on TensorFlow, which `tfmtl.models` imports before its models."""

from tfmtl.backend import require_tensorflow

require_tensorflow("`tfmtl.models`")
