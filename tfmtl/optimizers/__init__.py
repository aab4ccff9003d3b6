"""Optimizers for models whose parameters are mostly embedding rows."""

from tfmtl.optimizers.row_sparse_adam import RowSparseAdam

__all__ = ["RowSparseAdam"]
