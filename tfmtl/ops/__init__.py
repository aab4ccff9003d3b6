"""Functions of tensors that the layers and models use; they run on any Keras backend."""

from tfmtl.ops.adaptive_temperature import adaptive_temperature
from tfmtl.ops.attend import attend, attention_weights
from tfmtl.ops.generated_product import generated_product
from tfmtl.ops.heads import join_heads, split_heads
from tfmtl.ops.log_round import log_round
from tfmtl.ops.smooth_step import smooth_step

__all__ = [
    "adaptive_temperature",
    "attend",
    "attention_weights",
    "generated_product",
    "join_heads",
    "log_round",
    "smooth_step",
    "split_heads",
]
