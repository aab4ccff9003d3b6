"""Training in stages: a stage with early stopping, and a second stage that fine-tunes the upper layers."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import keras

from tfmtl.training.best_epoch import BestEpoch, Divergence
from tfmtl.training.options import Stage
from tfmtl.training.recovery import Recovery
from tfmtl.training.tensorboard import KeepsHistory

STAGES = ("stage_1", "stage_2")
"""Names of the two stages."""

History: TypeAlias = dict[str, list[float]]
"""Values of each metric by its name, one for each epoch."""


def stage_optimizer(stage: Stage) -> keras.optimizers.Optimizer:
    """Creates the optimizer of a stage, with a constant learning rate.

    Args:
        stage: Options of the stage.

    Example:
        >>> from tfmtl.training import Stage
        >>> from tfmtl.training.two_stage import stage_optimizer
        >>> type(stage_optimizer(Stage(learning_rate=0.01))).__name__
        'RowSparseAdam'
    """
    return stage.optimizer.optimizer(stage.learning_rate)


def fit_stage(
    model: Any,
    stage: Stage,
    train: Any,
    validation: Any = None,
    *,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    make_optimizer: Callable[[Stage], keras.optimizers.Optimizer] = stage_optimizer,
    seed: int = 0,
    name: str = STAGES[0],
    recovery: Recovery | None = None,
    on_divergence: Callable[[Divergence], object] | None = None,
    **fit_arguments: Any,
) -> History:
    """Compiles a model and trains it until early stopping, then restores the weights of the best epoch.

    Args:
        model: A built `tfmtl.models.MultiTaskModel`.
        stage: Options of the stage.
        train: Training data, the argument `x` of `model.fit`; usually a `tf.data.Dataset`.
        validation: Validation data, the argument `validation_data` of `model.fit`; without it, early stopping watches
            the metric on the training data.
        callbacks: Callbacks of `model.fit`, which run after early stopping.
        make_optimizer: Function that creates the optimizer of a stage.
        seed: Seed of what the strategy draws.
        name: Name of the stage. If the first epoch of `stage_2` diverges, its initial weights are restored.
        recovery: Checkpoints from which the stage continues; None for none.
        on_divergence: Function to call if training stopped because a loss was NaN or infinite. The model then has the
            weights of the best epoch before that, if there is one.
        **fit_arguments: Other arguments of `model.fit`.

    Returns:
        Values of each metric by its name, one for each epoch.

    Example:
        >>> import numpy as np, tensorflow as tf
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import SharedBottom
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> from tfmtl.training import Stage, fit_stage
        >>> spec = DatasetSpec("shop", (CategoricalFeature("user"),), (Task("click", "clicked"),))
        >>> model = SharedBottom(spec, {"user": 100})
        >>> rows = ({"user": np.arange(8)}, {"click": np.arange(8) % 2})
        >>> train = tf.data.Dataset.from_tensor_slices(rows).batch(4)
        >>> history = fit_stage(model, Stage(max_epochs=1), train, verbose=0)
        >>> len(history["loss"])
        1
    """
    with model.replica_strategy.scope():  # An optimizer has to be created in the scope of its model.
        model.compile(make_optimizer(stage), strategy=stage.strategy.strategy(seed))
    monitor = stage.monitor if validation is None else f"val_{stage.monitor}"
    mode = "min" if stage.monitor.endswith("loss") else "max"
    best, history = BestEpoch(monitor, mode, stage.patience, keep_initial=name != STAGES[0]), keras.callbacks.History()
    all_callbacks = [best, *callbacks, history]
    arguments = {"validation_data": validation, "epochs": stage.max_epochs, **fit_arguments}
    if recovery is not None:
        checkpoints = recovery.begin(name, model, best, history)
        finished = checkpoints.finished
        past: Any = checkpoints.past if finished is None else finished["history"]
        for callback in callbacks:
            if isinstance(callback, KeepsHistory):
                callback.restore_history(past)
        if finished is not None:
            if finished["divergence"] is not None and on_divergence is not None:
                on_divergence(Divergence(**finished["divergence"]))
            return dict(finished["history"])
        all_callbacks.append(checkpoints)
        arguments["initial_epoch"] = checkpoints.initial_epoch
    model.fit(train, callbacks=all_callbacks, **arguments)
    values = {metric: [float(value) for value in epochs] for metric, epochs in history.history.items()}
    if recovery is not None:
        recovery.finish(name, values, best.divergence)
    if best.divergence is not None and on_divergence is not None:
        on_divergence(best.divergence)
    return values


@contextlib.contextmanager
def freeze_lower_layers(model: Any) -> Iterator[None]:
    """Makes only the model's `upper_layers` trainable inside the `with` block. Compile the model in the block.

    Args:
        model: A built `tfmtl.models.MultiTaskModel`.

    Raises:
        ValueError: If the upper layers have no trainable weights.

    Example:
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import SharedBottom
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> from tfmtl.training.two_stage import freeze_lower_layers
        >>> spec = DatasetSpec("shop", (CategoricalFeature("user"),), (Task("click", "clicked"),))
        >>> model = SharedBottom.from_spec(spec, {"user": 100}, tower_units=())
        >>> with freeze_lower_layers(model):
        ...     [variable.name for variable in model.trainable_variables]
        ['kernel', 'bias']
    """
    upper = {id(variable) for layer in model.upper_layers for variable in layer.trainable_variables}
    if not upper:
        kind = type(model).__name__
        raise ValueError(f"`upper_layers` of {kind} should have trainable weights. Received: {model.upper_layers}")
    lower = [variable for variable in model.trainable_variables if id(variable) not in upper]
    for variable in lower:
        variable.trainable = False
    try:
        yield
    finally:
        for variable in lower:
            variable.trainable = True


@dataclasses.dataclass(frozen=True)
class TwoStage:
    """Training in two stages: the whole model until early stopping, then its upper layers with all others frozen.

    The upper layers are `MultiTaskModel.upper_layers`: the towers and the weights of the losses, and in some models
    further layers, such as the attention of MAN. Embeddings, the linear term of the
    option `wide`, experts and their gates, or the shared bottom, are frozen.
    Each stage has its own strategy and a new optimizer. Afterwards all variables are trainable again, and the model is
    compiled with the optimizer of the first stage, whose state covers all weights, so that the model can be saved and
    trained further.

    MAN (section 4.3) fine-tunes on the support set of the task. This is the argument `support` of `fit`, for example
    the most recent days or one scenario; by default it is the training data.

    Attributes:
        first: Options of the first stage.
        second: Options of the second stage.
        make_optimizer: Function that creates the optimizer of a stage.

    Example:
        >>> import numpy as np, tensorflow as tf
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import SharedBottom
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> from tfmtl.training import Stage, TwoStage
        >>> spec = DatasetSpec("shop", (CategoricalFeature("user"),), (Task("click", "clicked"),))
        >>> model = SharedBottom(spec, {"user": 100})
        >>> rows = ({"user": np.arange(8)}, {"click": np.arange(8) % 2})
        >>> train = tf.data.Dataset.from_tensor_slices(rows).batch(4)
        >>> training = TwoStage(Stage(max_epochs=1), Stage(max_epochs=1, learning_rate=1e-4))
        >>> sorted(training.fit(model, train, verbose=0))
        ['stage_1', 'stage_2']

    References:
        - MAN, sections 1 and 4.3
    """

    first: Stage = dataclasses.field(default_factory=Stage)
    second: Stage = dataclasses.field(default_factory=Stage)
    make_optimizer: Callable[[Stage], keras.optimizers.Optimizer] = stage_optimizer

    def fit(
        self, model: Any, train: Any, validation: Any = None, *, support: Any = None, **fit_arguments: Any
    ) -> dict[str, History]:
        """Trains a model in both stages.

        Args:
            model: A built `tfmtl.models.MultiTaskModel`, compiled or not.
            train: Training data of the first stage, as `model.fit` takes them.
            validation: Validation data of both stages; without them, early stopping watches the training data.
            support: Training data of the second stage; `train` by default.
            **fit_arguments: Other arguments of `fit_stage`.

        Returns:
            The history of each stage by its name, `stage_1` and `stage_2`: values of each metric by its name, one for
            each epoch.
        """
        arguments = {"make_optimizer": self.make_optimizer, **fit_arguments}
        first = fit_stage(model, self.first, train, validation, name=STAGES[0], **arguments)
        first_stage = {"optimizer": model.optimizer, "strategy": model.strategy}
        with freeze_lower_layers(model):
            rows = train if support is None else support
            second = fit_stage(model, self.second, rows, validation, name=STAGES[1], **arguments)
        model.compile(**first_stage)
        return dict(zip(STAGES, (first, second), strict=True))
