"""How models are trained."""

from tfmtl.training.epoch_lines import EpochLines

__all__ = ["EpochLines"]
