"""Optimizers for models with large embedding tables."""

# ruff: noqa: E402

from tfmtl.backend import require_tensorflow

require_tensorflow("`tfmtl.optimizers`")

from tfmtl.optimizers.row_sparse_adagrad import RowSparseAdagrad
from tfmtl.optimizers.row_sparse_adam import RowSparseAdam
from tfmtl.optimizers.row_sparse_ftrl import RowSparseFtrl

__all__ = ["RowSparseAdagrad", "RowSparseAdam", "RowSparseFtrl"]
