"""MAN: shared experts, experts of each task, attention along the chain, and losses weighted by uncertainty."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import keras

from tfmtl.config import require
from tfmtl.layers import CGC, RawValues, TaskAttention, Tower
from tfmtl.model_inputs import embedding_rows, multivalent_features
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.options.base import ModelOptions, require_rate, require_widths
from tfmtl.models.registry import register_model
from tfmtl.spec import DatasetSpec
from tfmtl.types import Features, Tensor


@dataclasses.dataclass(frozen=True)
class MANOptions(ModelOptions):
    """Options of `MAN`, in addition to those of `ModelOptions`. The defaults are those of the paper (section 4.2).

    Attributes:
        num_shared: Number of experts that all tasks share.
        num_per_task: Number of experts of each task that no other task uses.
        expert_units: Width of each layer of an expert.
        tower_units: Width of each hidden layer of a tower.
        dropout: Dropout rate in the experts and the towers; the paper gives none.
        attention: Whether a task attends to its previous task. Without attention, a tower reads the output of its gate
            ("Without att" in Table 2).
        attention_query: Task whose query is compared with the keys, see `tfmtl.layers.TaskAttention`.
        inputs: Input of the experts. "embedding": the embeddings of the fields. "raw": the features as numbers
            (`tfmtl.layers.RawValues`), without an embedding ("Without meta-att" in Table 2).
        weighting: Combination of the tasks' losses. "uncertainty" is equation 3, "fixed" is equation 2.
        weight_decay: Factor of the weight decay outside the embedding table; the paper's weight decay of Adam.
        embedding_l2: Factor of the mean of the squared embeddings of a batch; half of the paper's weight decay.

    Example:
        >>> from tfmtl.models import MANOptions
        >>> MANOptions(attention=False).weighting
        'uncertainty'
    """

    num_shared: int = 4
    num_per_task: int = 4
    expert_units: tuple[int, ...] = (256, 128)
    tower_units: tuple[int, ...] = (128, 16, 32)
    dropout: float = 0.0
    attention: bool = True
    attention_query: Literal["current", "each"] = "current"
    inputs: Literal["embedding", "raw"] = "embedding"
    weighting: Literal["fixed", "uncertainty"] = "uncertainty"
    weight_decay: float = 1e-6
    embedding_l2: float = 5e-7

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.num_shared >= 0, "num_shared", "at least 0", self.num_shared)
        expected = "at least 0" if self.num_shared else "at least 1 where `num_shared` is 0"
        is_enough = self.num_per_task >= (0 if self.num_shared else 1)
        require(is_enough, "num_per_task", expected, self.num_per_task)
        require_rate("dropout", self.dropout)
        require_widths("expert_units", self.expert_units, minimum=1)
        require_widths("tower_units", self.tower_units)


@register_model("man")
class MAN(MultiTaskModel):
    """Multi-task Attention Network (MAN).

    Shared experts and experts of each task read the embeddings x of the fields, and a gate for each task weights its
    own and the shared experts (CGC). Along the chain, the vector of a task attends to the fused vector C of its
    previous task, and a tower reads the result:

    `x_k = CGC_k(x)`, `C_k = attention_k(C_prev, x_k)`, `y_k = tower_k(C_k)`,

    where prev is the task that task k follows. The tasks form a chain or a tree. A task without a previous task attends
    to itself alone, `C_k = V_k(x_k)`. The weights of the attention differ by task. By default the losses of the tasks
    are weighted by uncertainty (equation 3); `loss_factors` returns the learned factors.

    The weights of the attention are recorded as `task_attention/<task>`, and those of the gates as `gate/<task>`.

    Choices where the paper is not specific:

    - The first task has no previous task and attends to itself alone, so its attention is a linear layer.
    - Section 3.3 mentions a tower of two layers, section 4.2 gives the widths [128, 16, 32]. A tower has these hidden
      layers and a linear unit.
    - A conversion is trained on all impressions (`space="entire"`), as the AUCs of the paper are computed.
    - "Without meta-att" in Table 2 trains on "the original feature data": the id of each field as one number, scaled to
      [0, 1], instead of its embedding. "Without meta" is training without `tfmtl.training.MetaLearning`.
    - Weight decay is the L2 term with the gradient `d * w`, which Adam's option of that name added in the libraries of
      the time. Only the embeddings of the batch are decayed.

    Args:
        spec: Features and tasks of the dataset.
        vocabulary_sizes: Number of tokens in the vocabulary of each feature that has one.
        options: Hyper-parameters. Defaults to `MANOptions()`.
        **kwargs: `name` and `dtype` of `keras.Model`.

    Call arguments:
        features: Transformed features by name, each `(batch,)` or `(batch, length)`.
        training: Whether dropout is applied.

    Returns:
        Logits by task name, each `(batch,)` float32.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import MAN, MANOptions
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> features = (CategoricalFeature("user"), CategoricalFeature("item"))
        >>> tasks = (Task("click", "clicked"), Task("buy", "bought", follows="click"))
        >>> options = MANOptions(embedding_dim=4, num_shared=1, num_per_task=1, expert_units=(8,))
        >>> model = MAN(DatasetSpec("shop", features, tasks), {"user": 100, "item": 50}, options)
        >>> scores = model.score({"user": np.array([3, 7]), "item": np.array([1, 0])})
        >>> {name: tuple(values.shape) for name, values in scores.items()}
        {'click': (2,), 'buy_given_click': (2,), 'buy': (2,)}

    References:
        - [Luo et al., 2023, Multi-Task Deep Learning with Task Attention for Post-Click Conversion Rate Prediction]
          (https://doi.org/10.32604/iasc.2023.036622), sections 3.2 and 3.3
    """

    options_class = MANOptions
    paper = "Luo et al., 2023, Multi-Task Deep Learning with Task Attention (MAN)"
    equations = "1-3, sections 3.2.2 and 3.2.3"
    # The paper prepares Ali-CCP as AITM does and gives no width of embeddings: AITM's published command has 5.
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "ali_ccp": {"embedding_dim": 5},
        "ali_ccp_without_attention": {"embedding_dim": 5, "attention": False},
        "ali_ccp_without_meta_attention": {"inputs": "raw"},
    }

    options: MANOptions

    def __init__(
        self,
        spec: DatasetSpec,
        vocabulary_sizes: Mapping[str, int],
        options: MANOptions | None = None,
        **kwargs: Any,
    ) -> None:
        options = options or MANOptions()
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        names = [task.name for task in spec.tasks]
        self.cgc = CGC(
            names, options.num_shared, options.num_per_task, options.expert_units, dropout=options.dropout, name="cgc"
        )
        self.attention = {
            name: TaskAttention(options.attention_query, name=name) for name in names if options.attention
        }
        self.towers = {name: Tower(options.tower_units, dropout=options.dropout, name=name) for name in names}

    def make_embedding(self) -> keras.layers.Layer:
        """Creates the embedding layer, or the layer of raw values if `inputs` is "raw"."""
        if self.options.inputs == "embedding":
            return super().make_embedding()
        rows = embedding_rows(self.spec, self.vocabulary_sizes)
        return RawValues(
            rows, multivalent_features(self.spec), self.options.unpooled_sequences(self.spec), name="raw_values"
        )

    @property
    def upper_layers(self) -> tuple[keras.layers.Layer, ...]:
        """Layers that the second stage of `tfmtl.training.TwoStage` trains: attention, towers, weights of losses."""
        return (*self.attention.values(), *super().upper_layers)

    def call(self, features: Features, training: bool | None = None) -> dict[str, Tensor]:
        fused = self.cgc(self.embed_flat(features), training=training)
        for task in self.spec.tasks if self.attention else ():  # A spec lists a task after its previous task.
            previous = fused[task.follows] if task.follows else None
            fused[task.name] = self.attention[task.name](fused[task.name], previous)
        return {name: tower(fused[name], training=training) for name, tower in self.towers.items()}
