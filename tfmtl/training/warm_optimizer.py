"""Optimizers that continue the training of an earlier model that has other vocabularies."""

from typing import Any

import numpy as np

from tfmtl.training.distribution import optimizer_steps
from tfmtl.training.embedding_rows import moved_rows, row_sources
from tfmtl.training.vocabularies import Tokens
from tfmtl.training.warm_start import check_models


def warm_start_optimizer(optimizer: Any, model: Any, vocabularies: Tokens, old: Any, old_vocabularies: Tokens) -> None:
    """Copies the state of the optimizer of a trained model, with the slots of embedding rows matched by token.

    After `tfmtl.training.warm_start.warm_start`, which copies the weights, a row that both models have is trained as if
    its index had not moved: its slots, such as the moments of Adam, move with it. The slots of new rows keep their
    initial values, and those of all other weights are copied unchanged. The number of steps is copied, since the bias
    correction of Adam depends on it; a schedule of the learning rate should therefore begin at that step
    (`tfmtl.training.shifted_schedule.ShiftedSchedule`). The learning rate is not copied.

    Args:
        optimizer: Optimizer of the new model, one of `tfmtl.optimizers`. It is built if it is not.
        model: The new model, a built `tfmtl.models.MultiTaskModel`.
        vocabularies: Tokens of the new model by feature name, in the order of their ids.
        old: The trained model, compiled with its optimizer.
        old_vocabularies: Tokens of the trained model by feature name, in the order of their ids.

    Raises:
        ValueError: If the models do not fit, as for `warm_start`, or their optimizers are of different classes, before
            anything is copied.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import SharedBottom
        >>> from tfmtl.optimizers import RowSparseAdam
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> from tfmtl.training.warm_optimizer import warm_start_optimizer
        >>> spec = DatasetSpec("shop", (CategoricalFeature("user"),), (Task("click", "clicked"),))
        >>> old, model = SharedBottom(spec, {"user": 2}), SharedBottom(spec, {"user": 3})
        >>> old.compile(RowSparseAdam(), run_eagerly=True)
        >>> logs = old.train_on_batch({"user": np.array([1, 2])}, {"click": np.array([0, 1])})
        >>> optimizer = RowSparseAdam()
        >>> tokens, old_tokens = {"user": [b"bob", b"eve", b"kim"]}, {"user": [b"ann", b"bob"]}
        >>> warm_start_optimizer(optimizer, model, tokens, old, old_tokens)
        >>> int(optimizer.iterations)
        1
    """
    tables = check_models(model, vocabularies, old, old_vocabularies)
    _check_optimizer(optimizer, getattr(old, "optimizer", None))
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    sources, _ = row_sources(model.spec, vocabularies, old.spec, old_vocabularies)
    for index, weight in enumerate(model.trainable_variables):
        layers = tables.get(id(weight))
        pairs = zip(optimizer.slot_variables(index), old.optimizer.slot_variables(index), strict=True)
        for slot, old_slot in pairs:
            slot.assign(moved_rows(slot, old_slot, layers, sources) if layers else np.asarray(old_slot))
    optimizer.iterations.assign(optimizer_steps(old.optimizer))


def _check_optimizer(optimizer: Any, old: Any) -> None:
    name = type(optimizer).__name__
    if old is None:
        raise ValueError(f"`old` should be compiled with a {name}. Received: none")
    if type(optimizer) is not type(old):
        raise ValueError(f"the optimizer of `old` should be a {name}. Received: a {type(old).__name__}")
