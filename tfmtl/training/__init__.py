"""Training of models: strategies, stages, optimizers as plain data, distribution and callbacks.

`import tfmtl.training` gives the options, and imports neither Keras nor TensorFlow. Strategies, callbacks and functions
are imported when they are first used.

Example:
    >>> from tfmtl.training import AdamOptions, Stage
    >>> Stage(optimizer=AdamOptions(epsilon=1e-3)).optimizer.kind
    'adam'
"""

import importlib
from typing import TYPE_CHECKING, Any

from tfmtl.training.batch_sizes import default_batch_size
from tfmtl.training.distribution_options import Distribution
from tfmtl.training.optimizer_options import AdagradOptions, AdamOptions, FtrlOptions, OptimizerOptions
from tfmtl.training.options import ArchitectureSearchOptions, MetaLearningOptions, PlainOptions, Stage, StrategyOptions

if TYPE_CHECKING:
    from tfmtl.training.architecture_search import ArchitectureSearch
    from tfmtl.training.best_epoch import BestEpoch, Divergence
    from tfmtl.training.data_position import DataPosition
    from tfmtl.training.epoch_lines import EpochLines
    from tfmtl.training.input_wait import InputWait
    from tfmtl.training.meta_learning import MetaLearning
    from tfmtl.training.recovery import Interval, Recovery
    from tfmtl.training.strategy import Losses, PlainTraining, Strategy, TrainableModel
    from tfmtl.training.tensorboard import TensorBoardLog
    from tfmtl.training.two_stage import TwoStage, fit_stage

__all__ = [
    "AdagradOptions",
    "AdamOptions",
    "ArchitectureSearch",
    "ArchitectureSearchOptions",
    "BestEpoch",
    "DataPosition",
    "Distribution",
    "Divergence",
    "EpochLines",
    "FtrlOptions",
    "InputWait",
    "Interval",
    "Losses",
    "MetaLearning",
    "MetaLearningOptions",
    "OptimizerOptions",
    "PlainOptions",
    "PlainTraining",
    "Recovery",
    "Stage",
    "Strategy",
    "StrategyOptions",
    "TensorBoardLog",
    "TrainableModel",
    "TwoStage",
    "default_batch_size",
    "fit_stage",
]

_MODULES = {
    "ArchitectureSearch": "tfmtl.training.architecture_search",
    "BestEpoch": "tfmtl.training.best_epoch",
    "DataPosition": "tfmtl.training.data_position",
    "Divergence": "tfmtl.training.best_epoch",
    "EpochLines": "tfmtl.training.epoch_lines",
    "InputWait": "tfmtl.training.input_wait",
    "Interval": "tfmtl.training.recovery",
    "Losses": "tfmtl.training.strategy",
    "MetaLearning": "tfmtl.training.meta_learning",
    "PlainTraining": "tfmtl.training.strategy",
    "Recovery": "tfmtl.training.recovery",
    "Strategy": "tfmtl.training.strategy",
    "TensorBoardLog": "tfmtl.training.tensorboard",
    "TrainableModel": "tfmtl.training.strategy",
    "TwoStage": "tfmtl.training.two_stage",
    "fit_stage": "tfmtl.training.two_stage",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tfmtl.backend import require_tensorflow

    require_tensorflow("`tfmtl.training`")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
