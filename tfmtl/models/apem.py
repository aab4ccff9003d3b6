"""APEM: fields seen through inducing points that each example selects, and a pattern of each task picked from them."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import keras
from keras import ops

from tfmtl import introspection
from tfmtl.config import require
from tfmtl.layers import DynamicSelector, PatternSelector, SetAttention, Tower
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.core.options import ModelOptions
from tfmtl.models.registry import register_model


@dataclasses.dataclass(frozen=True)
class APEMOptions(ModelOptions):
    """Options of `APEM`, besides those of every model. The defaults are the paper's (Table 2) where it gives them.

    Attributes:
        embedding_dim: d, of fields, inducing points and indicators.
        num_layers: L, how many pairs of an ASRG and a pattern selector.
        num_points: K, inducing points of a layer.
        num_heads: m; it should divide `embedding_dim`.
        selector_units: width of each hidden layer of a dynamic selector's MLP; the paper gives none.
        gamma_start, gamma_decay, gamma_end: `gamma = max(gamma_start - gamma_decay * step, gamma_end)`. A training of
            fewer than 50 000 steps needs a larger decay if its selectors should end as zeros and ones.
        asrg: `dynamic` as in the paper; `static`: all inducing points take part, without a selector;
            `self_attention`: fields attend to each other, the paper's "w/o ASRG", at a cost of O(F^2).
        pattern_selector: without it ("w/o PS") a tower sees the shared representation alone.
        tower_input: what a tower sees of Y: `flatten`, all K vectors, or their `mean`.
        tower_units: width of each hidden layer of a tower; the paper gives none.
        dropout: rate, in towers.
        dependence: sigma of equation 21, as for every model, but 1 by default; the paper gives none. 0 is its
            "w/o L_D".
    """

    embedding_dim: int = 18
    num_layers: int = 4
    num_points: int = 64
    num_heads: int = 2
    selector_units: tuple[int, ...] = (64,)
    gamma_start: float = 10.0
    gamma_decay: float = 2e-4
    gamma_end: float = 1e-3
    asrg: Literal["dynamic", "static", "self_attention"] = "dynamic"
    pattern_selector: bool = True
    tower_input: Literal["flatten", "mean"] = "flatten"
    tower_units: tuple[int, ...] = (64, 32)
    dropout: float = 0.0
    dependence: float | Mapping[str, float] = 1.0

    def __post_init__(self):
        super().__post_init__()
        for name in ("num_layers", "num_points", "num_heads"):
            require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        expected = f"a divisor of embedding_dim, {self.embedding_dim}"
        require(self.embedding_dim % self.num_heads == 0, "num_heads", expected, self.num_heads)
        for name in ("selector_units", "tower_units"):
            require(all(width >= 1 for width in getattr(self, name)), name, "positive", getattr(self, name))
        require(self.gamma_decay >= 0, "gamma_decay", "at least 0", self.gamma_decay)
        expected = f"in (0, gamma_start], {self.gamma_start}"
        require(0 < self.gamma_end <= self.gamma_start, "gamma_end", expected, self.gamma_end)
        require(0 <= self.dropout < 1, "dropout", "in [0, 1)", self.dropout)


_PAPER = {"embedding_dim": 18, "num_layers": 4, "num_points": 64, "num_heads": 2, "dependence": 1.0}


@register_model("apem")
class APEM(MultiTaskModel):
    """Adaptive Pattern Extraction Multi-task: `Y^l = ASRG_l(Y^{l-1})`, `T_i^l = PS_l(T_i^{l-1}, Y^l)`, l = 1 .. L.

    The logit of task i is `tower_i([T_i^L, Y^L])`. `Y^0 = H`, the fields' embeddings (numbers are discretized by
    log-round in the transform). A layer's `DynamicSelector` makes z of its input, its `SetAttention` lets the inducing
    points times z attend to that input, and its `PatternSelector` lets each task's indicator attend to what comes out.
    The loss adds the dependence of the tasks (`tfmtl.losses.SequentialDependenceLoss`). The training of the paper is
    Adam with learning rate 1e-3 and batches of 1024 rows.

    The selectors' `step` is advanced once a training step, after it, whatever the strategy does in it; neither
    evaluation nor inference changes it.

    Recorded (see `tfmtl.introspection`): `selection_rate/layer_<l>` (Figure 7a) and `selector/layer_<l>`,
    `pattern/<task>/layer_<l>`, and `shared_representation`, Y^L, whose rows Figure 7b draws.

    Decisions where the paper leaves room:
        - the residual of an ASRG is on the query's side, see `SetAttention`; the pattern selector's attention has no
          projections, see `PatternSelector`; a selector ends in a linear layer, see `DynamicSelector`.
        - Each layer has selectors, points and indicators of its own, as the text's "k-th layer" has them.
        - A tower sees `concat(T_i^L, flatten(Y^L))`: Figure 3 joins the two and says no more. `tower_input="mean"`
          is the small alternative.
        - The heads predict on the entire space, as the paper's AUCs are taken.

    References:
        - [Tao et al., 2023, Adaptive Pattern Extraction Multi-Task Learning for Multi-Step Conversion Estimations]
          (https://arxiv.org/abs/2301.02494)
    """

    options_class = APEMOptions
    paper = "Tao et al., 2023, Adaptive Pattern Extraction Multi-Task Learning (APEM)"
    equations = "10-23"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "ali_ccp": _PAPER,
        "ali_ccp_without_asrg": {**_PAPER, "asrg": "self_attention"},
        "ali_ccp_without_pattern_selector": {**_PAPER, "pattern_selector": False},
        "ali_ccp_without_dependence": {**_PAPER, "dependence": 0.0},
        "industrial": _PAPER,
    }

    def __init__(self, spec: Any, vocabulary_sizes: Any, options: APEMOptions, **kwargs: Any):
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        names = [f"layer_{index + 1}" for index in range(options.num_layers)]
        tasks = [task.name for task in spec.tasks]
        self.selectors = [self._make_selector(name) for name in names if options.asrg == "dynamic"]
        self.interactions = [self._make_interaction(name) for name in names]
        self.norms = [keras.layers.LayerNormalization(name=n) for n in names if options.asrg == "self_attention"]
        self.pattern_selectors = [PatternSelector(tasks, name=name) for name in names if options.pattern_selector]
        self.towers = {task: Tower(options.tower_units, dropout=options.dropout, name=task) for task in tasks}

    def _make_selector(self, name: str) -> keras.layers.Layer:
        options = self.options
        return DynamicSelector(
            options.num_points,
            options.selector_units,
            gamma_start=options.gamma_start,
            gamma_decay=options.gamma_decay,
            gamma_end=options.gamma_end,
            advance_in_call=False,  # `train_step` counts steps: a strategy may call the model several times in one.
            name=name,
        )

    def _make_interaction(self, name: str) -> keras.layers.Layer:
        options = self.options
        if options.asrg == "self_attention":
            head_dim = options.embedding_dim // options.num_heads
            return keras.layers.MultiHeadAttention(options.num_heads, head_dim, use_bias=False, name=name)
        return SetAttention(options.num_points, options.num_heads, name=name)

    @property
    def upper_layers(self):
        return (*self.pattern_selectors, *super().upper_layers)

    def call(self, features, training=None):
        shared = self.embed(features)
        patterns = None
        for layer in range(self.options.num_layers):
            shared = self._interact(layer, shared, training)
            if self.pattern_selectors:
                patterns = self.pattern_selectors[layer](shared, patterns)
        introspection.record("shared_representation", shared)
        inputs = self._tower_inputs(shared, patterns)
        return {task: tower(inputs[task], training=training) for task, tower in self.towers.items()}

    def _interact(self, layer: int, inputs: Any, training: bool | None) -> Any:
        """Y of a layer: `(batch, num_points, d)`, or `(batch, fields, d)` with self-attention."""
        if self.options.asrg == "self_attention":
            return self.norms[layer](inputs + self.interactions[layer](inputs, inputs, training=training))
        selection = self.selectors[layer](inputs, training=training) if self.selectors else None
        return self.interactions[layer](inputs, selection)

    def _tower_inputs(self, shared: Any, patterns: Mapping[str, Any] | None) -> dict[str, Any]:
        """What the tower of each task sees, `(batch, width)`."""
        if self.options.tower_input == "mean":
            common = ops.mean(shared, axis=1)
        else:
            common = ops.reshape(shared, (-1, shared.shape[1] * shared.shape[2]))
        if patterns is None:
            return dict.fromkeys(self.towers, common)
        return {task: ops.concatenate([patterns[task], common], axis=1) for task in self.towers}
