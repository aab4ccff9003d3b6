"""How models are trained."""

from tfmtl.training.epoch_lines import EpochLines
from tfmtl.training.meta_learning import MetaLearning
from tfmtl.training.options import MetaLearningOptions, PlainOptions, Stage, StrategyOptions
from tfmtl.training.strategy import Losses, PlainTraining, Strategy
from tfmtl.training.two_stage import TwoStage, fit_stage

__all__ = [
    "EpochLines",
    "Losses",
    "MetaLearning",
    "MetaLearningOptions",
    "PlainOptions",
    "PlainTraining",
    "Stage",
    "Strategy",
    "StrategyOptions",
    "TwoStage",
    "fit_stage",
]
