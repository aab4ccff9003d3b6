"""Training of models: strategies, stages, optimizers as plain data, distribution and callbacks."""

# ruff: noqa: E402

from tfmtl.backend import require_tensorflow

require_tensorflow("`tfmtl.training`")

from tfmtl.training.architecture_search import ArchitectureSearch
from tfmtl.training.distribution import Distribution
from tfmtl.training.epoch_lines import EpochLines
from tfmtl.training.input_wait import InputWait
from tfmtl.training.meta_learning import MetaLearning
from tfmtl.training.optimizer_options import AdagradOptions, AdamOptions, FtrlOptions, OptimizerOptions
from tfmtl.training.options import ArchitectureSearchOptions, MetaLearningOptions, PlainOptions, Stage, StrategyOptions
from tfmtl.training.strategy import Losses, PlainTraining, Strategy, TrainableModel
from tfmtl.training.two_stage import TwoStage, fit_stage

__all__ = [
    "AdagradOptions",
    "AdamOptions",
    "ArchitectureSearch",
    "ArchitectureSearchOptions",
    "Distribution",
    "EpochLines",
    "FtrlOptions",
    "InputWait",
    "Losses",
    "MetaLearning",
    "MetaLearningOptions",
    "OptimizerOptions",
    "PlainOptions",
    "PlainTraining",
    "Stage",
    "Strategy",
    "StrategyOptions",
    "TrainableModel",
    "TwoStage",
    "fit_stage",
]
