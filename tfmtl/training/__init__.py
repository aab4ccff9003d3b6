"""How models are trained."""

from tfmtl.training.epoch_lines import EpochLines
from tfmtl.training.strategy import Losses, PlainTraining, Strategy

__all__ = ["EpochLines", "Losses", "PlainTraining", "Strategy"]
