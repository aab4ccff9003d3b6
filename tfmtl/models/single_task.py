"""Single-Task: separate networks for the tasks, without shared weights."""

from collections.abc import Mapping
from typing import Any

from keras import ops

from tfmtl.layers import FusedEmbedding, Tower
from tfmtl.model_inputs import dense_lengths, embedding_rows, multivalent_features, shared_fields
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.options.single_task import INFO, SingleTaskOptions
from tfmtl.models.registry import register_model
from tfmtl.spec import DatasetSpec
from tfmtl.types import Features, Tensor


@register_model("single_task")
class SingleTask(MultiTaskModel):
    """Separate network for each task, the baseline without multi-task learning.

    Each task has a separate embedding table and a separate tower, and no weight is shared:

    `y_k = tower_k(x_k)` with the embeddings x_k of the fields in the table of task k.

    Trained together, the tasks learn what separate models learn from the same batches: each weight has a gradient from
    one loss, and the optimizers of the package update each weight separately. This no longer holds with a loss on the
    predictions of several tasks (`dependence`, `calibrator`), with clipping by the norm of all gradients, or with early
    stopping on the metric of one task.

    The tables of the tasks are columns of one table, `(ids, tasks * embedding_dim)`, because the tasks look up the same
    ids: one gather and one sparse update serve all of them. `sparse_embeddings` is that one layer.

    Args:
        spec: Features and tasks of the dataset.
        vocabulary_sizes: Number of tokens in the vocabulary of each feature that has one.
        options: Hyper-parameters. Defaults to `SingleTaskOptions()`.
        **kwargs: `name` and `dtype` of `keras.Model`.

    Call arguments:
        features: Transformed features by name, each `(batch,)` or `(batch, length)`.
        training: Whether dropout is applied.

    Returns:
        Logits by task name, each `(batch,)` float32.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import SingleTask, SingleTaskOptions
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> features = (CategoricalFeature("user"), CategoricalFeature("item"))
        >>> tasks = (Task("click", "clicked"), Task("buy", "bought", follows="click"))
        >>> options = SingleTaskOptions(embedding_dim=4, tower_units=(8,))
        >>> model = SingleTask(DatasetSpec("shop", features, tasks), {"user": 100, "item": 50}, options)
        >>> scores = model.score({"user": np.array([3, 7]), "item": np.array([1, 0])})
        >>> {name: tuple(values.shape) for name, values in scores.items()}
        {'click': (2,), 'buy_given_click': (2,), 'buy': (2,)}

    References:
        - The rows "Single-Task" or "Single-DNN" in the tables of APEM, AdaFTR and M2M
    """

    options_class = SingleTaskOptions
    paper = INFO.paper
    equations = INFO.equations
    defaults = INFO.defaults
    presets = INFO.presets

    options: SingleTaskOptions

    def __init__(
        self,
        spec: DatasetSpec,
        vocabulary_sizes: Mapping[str, int],
        options: SingleTaskOptions | None = None,
        **kwargs: Any,
    ) -> None:
        options = options or SingleTaskOptions()
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        self.towers = {t.name: Tower(options.tower_units, dropout=options.dropout, name=t.name) for t in spec.tasks}

    def make_embedding(self) -> FusedEmbedding:
        """Creates one embedding layer whose columns are the tables of the tasks."""
        rows = embedding_rows(self.spec, self.vocabulary_sizes)
        width = len(self.spec.tasks) * self.options.embedding_dim
        unpooled = self.options.unpooled_sequences(self.spec)
        return FusedEmbedding(
            rows,
            width,
            multivalent_features(self.spec),
            unpooled=unpooled,
            shared=shared_fields(self.spec),
            dense=dense_lengths(self.spec),
            name="embedding",
        )

    def call(self, features: Features, training: bool | None = None) -> dict[str, Tensor]:
        embedded = ops.split(self.embed(features), len(self.towers), axis=2)
        return {
            name: tower(ops.reshape(fields, (-1, fields.shape[1] * fields.shape[2])), training=training)
            for (name, tower), fields in zip(self.towers.items(), embedded, strict=True)
        }
