"""AdaFTR: a contrast between the towers of the tasks whose temperature follows the tasks' relatedness on each row."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from tfmtl import config, introspection
from tfmtl.layers import FusedEmbedding, Relatedness, Tower
from tfmtl.losses import alignment, binary_cross_entropy, bpr_contrast, info_nce
from tfmtl.losses.batch_mean import batch_mean, sum_over_replicas
from tfmtl.models.core.batches import RowWeights
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.options.adaftr import INFO, AdaFTROptions
from tfmtl.models.registry import MODELS, register_model
from tfmtl.ops import adaptive_temperature
from tfmtl.spec import DatasetSpec
from tfmtl.types import Features, Labels, Logits, Tensor


@register_model("adaftr")
class AdaFTR(MultiTaskModel):
    """Adaptive Fine-grained Task Relatedness (AdaFTR).

    AdaFTR wraps another model, the backbone, which computes logits, the inputs v of the towers and hidden layers h of
    the towers. It adds two losses for each task t that is contrasted with an anchor task a:

    `L = sum_k L_k + sum_t (alpha L_rel,t + beta L_cl,t)`.

    - `L_rel,t` is the cross-entropy of the predicted relatedness `y_rel = sigmoid(MLP(v_a (.) v_t))` against
      `1[y_a = y_t]` (equations 8 to 11). It trains the relatedness network and no other weights.
    - `L_cl,t` is the InfoNCE loss between h_a and h_t, with the other rows of the batch as negatives and with the
      temperature `tau = (tau^U - tau^L) (1 - y_rel) + tau^L` of each row, which is a constant in this loss
      (equations 12 and 13, Algorithm 1).

    Both are means over all rows. Equation 13 writes a sum, while equation 4 is the loss of one row.
    `contrast_reduction="sum"` takes the sum of L_cl and the means of the other losses, which is the mean of L_cl with
    beta times the batch size. Count tasks are not contrasted. Under `tf.distribute` the negatives of a row are the
    rows of its replica.

    Deviation from the paper: section 2.4.1 says that the contrast trains "only the parameters for each task", line 17
    of Algorithm 1 says all parameters of the base model. `contrast_scope="towers"` (default) stops its gradient at the
    inputs of the towers; with dropout, the towers draw another mask for it. `"all"` is the other reading.

    Deviation from the paper: the relatedness network is trained by L_rel alone, as in Algorithm 1. Section 2.4.1 names
    L_cl, which we consider an error.

    Deviation from the paper: the term `lambda ||Theta||` of equation 14 is the options `weight_decay` and
    `embedding_l2`, which are 0 by default. With lambda = 1 (Table 3) it would outweigh every mean of losses. The
    relatedness network is not part of Theta.

    The ablations of Table 5 are: `temperature="learned"` without adaptive tau, which is equation 12 with one trained
    y_rel for all rows; `temperature="fixed"` without learnable tau; `contrast="bpr"` without negatives;
    `contrast="mse"` without contrast. None of them has a relatedness network.

    Outputs and exports are those of the backbone, so the relatedness network has no cost at serving. The paper trains
    with Adam, a learning rate of 5e-4 and batches of 1024 rows.

    The model records what the backbone records, and `relatedness/<anchor>/<task>`, which is y_rel, its logit
    `relatedness_logit/<anchor>/<task>`, `temperature/<anchor>/<task>`, each `(batch,)`, and the contrasted hidden
    layers `contrast/<task>`, `(batch, units)`.

    Args:
        spec: Features and tasks of the dataset.
        vocabulary_sizes: Number of tokens in the vocabulary of each feature that has one.
        options: Hyper-parameters. Defaults to `AdaFTROptions()`.
        **kwargs: `name` and `dtype` of `keras.Model`.

    Call arguments:
        features: Transformed features by name, each `(batch,)` or `(batch, length)`.
        training: Whether dropout is applied.

    Returns:
        Logits by task name, each `(batch,)` float32.

    Raises:
        ConfigError: If the backbone has no tower for a contrasted task, or its towers lack the contrasted layer.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import AdaFTR, AdaFTROptions
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> features = (CategoricalFeature("user"), CategoricalFeature("item"))
        >>> tasks = (Task("click", "clicked"), Task("buy", "bought", follows="click"))
        >>> options = AdaFTROptions(embedding_dim=4, backbone="shared_bottom")
        >>> model = AdaFTR(DatasetSpec("shop", features, tasks), {"user": 100, "item": 50}, options)
        >>> scores = model.score({"user": np.array([3, 7]), "item": np.array([1, 0])})
        >>> {name: tuple(values.shape) for name, values in scores.items()}
        {'click': (2,), 'buy_given_click': (2,), 'buy': (2,)}

    References:
        - [Lin et al., 2023, Modeling Adaptive Fine-grained Task Relatedness for Joint CTR-CVR Estimation]
          (https://arxiv.org/abs/2208.13442)
    """

    options_class = AdaFTROptions
    paper = INFO.paper
    equations = INFO.equations
    defaults = INFO.defaults
    presets = INFO.presets

    options: AdaFTROptions

    def __init__(
        self,
        spec: DatasetSpec,
        vocabulary_sizes: Mapping[str, int],
        options: AdaFTROptions | None = None,
        **kwargs: Any,
    ) -> None:
        options = options or AdaFTROptions()
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        self._check_towers()
        if options.adaptive:
            units = options.relatedness_units
            self.relatedness = {task: Relatedness(units, name=f"relatedness_{task}") for _, task in self.pairs}
        elif options.contrast == "info_nce" and options.temperature == "learned":
            self.common_relatedness = self.add_weight(shape=(), initializer="zeros", name="common_relatedness")

    def make_embedding(self) -> keras.layers.Layer:
        """Creates the backbone and returns its embedding layer."""
        options = self.options.all_backbone_options()
        self.backbone: Any = MODELS[self.options.backbone].from_spec(self.spec, self.vocabulary_sizes, **options)
        self.backbone.name = self.options.backbone
        return self.backbone.embedding

    def make_wide(self) -> FusedEmbedding | None:
        """Returns the layer of the option `wide` of the backbone."""
        return self.backbone.wide  # type: ignore[no-any-return]

    def make_delay_rates(self) -> FusedEmbedding | None:
        """Returns the layer of the rates of delays of the backbone."""
        return self.backbone.delay_rates  # type: ignore[no-any-return]

    def add_logit_terms(self, features: Features, logits: Logits) -> Logits:
        """Returns the logits as they are, because the backbone has added the terms.

        Args:
            features: Transformed features by name.
            logits: Logits of the backbone by task name, each `(batch,)`.
        """
        return logits

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Pairs of the anchor task and each task that it is contrasted with."""
        return self.options.pairs(self.spec)

    def serving_model(self) -> MultiTaskModel:
        """Returns the backbone, whose weights and `score` are exported."""
        return self.backbone  # type: ignore[no-any-return]

    @property
    def spaces(self) -> dict[str, str]:
        """Space of the head of each task in the backbone, `entire` or `conditional`, by task name."""
        return self.backbone.spaces  # type: ignore[no-any-return]

    @property
    def sparse_embeddings(self) -> tuple[FusedEmbedding, ...]:
        """Embedding layers of the backbone of whose tables a batch reads few rows."""
        return self.backbone.sparse_embeddings  # type: ignore[no-any-return]

    @property
    def decayed_variables(self) -> list[keras.Variable]:
        """Variables of the backbone that the option `weight_decay` decays."""
        return self.backbone.decayed_variables  # type: ignore[no-any-return]

    @property
    def architecture_variables(self) -> list[keras.Variable]:
        """Variables of the backbone that `tfmtl.training.ArchitectureSearch` trains on separate rows."""
        return self.backbone.architecture_variables  # type: ignore[no-any-return]

    @property
    def upper_layers(self) -> tuple[keras.layers.Layer, ...]:
        """Layers that the second stage of `tfmtl.training.TwoStage` trains: the backbone's and relatedness networks."""
        return (*self.backbone.upper_layers, *getattr(self, "relatedness", {}).values(), *super().upper_layers)

    @property
    def extra_loss_names(self) -> tuple[str, ...]:
        """Names of the losses that `extra_losses` returns: the backbone's, and those of each contrasted task."""
        kinds = ("relatedness", "contrastive") if self.options.adaptive else ("contrastive",)
        names = [f"{task}_{kind}_loss" for _, task in self.pairs for kind in kinds]
        return (*self.backbone.extra_loss_names, *names)

    def score(self, features: Features) -> dict[str, Tensor]:
        """Computes the served outputs, which are the backbone's.

        Args:
            features: Transformed features by name.

        Returns:
            Probabilities and rates by output name, on both spaces, each `(batch,)` float32.
        """
        return self.backbone.score(features)  # type: ignore[no-any-return]

    def call(self, features: Features, training: bool | None = None) -> dict[str, Tensor]:
        with introspection.collect() as taps:
            logits: dict[str, Tensor] = self.backbone(features, training=training)
        for name, value in taps.items():
            introspection.record(name, value)
        for task in dict.fromkeys(task for pair in self.pairs for task in pair):
            introspection.record(f"contrast/{task}", self._contrasted(task, taps, training))
        if self.options.contrast == "info_nce":
            for anchor, task in self.pairs:
                inputs = [ops.stop_gradient(taps[f"tower_input/{name}"]) for name in (anchor, task)]
                introspection.record(f"temperature/{anchor}/{task}", self._temperature(anchor, task, inputs, training))
        return logits

    def _contrasted(self, task: str, taps: Mapping[str, Tensor], training: bool | None) -> Tensor:
        """Returns the hidden layer of a task that is contrasted, `(batch, units)`."""
        layer = self.options.contrast_layer
        if self.options.contrast_scope == "all":
            return taps[f"tower/{task}/{layer}"]
        inputs = ops.stop_gradient(taps[f"tower_input/{task}"])
        return self.backbone.towers[task].hidden_at(inputs, layer, training=training)

    def _temperature(self, anchor: str, task: str, inputs: list[Tensor], training: bool | None) -> Tensor:
        """Returns the temperature of each row, `(batch,)`, and records the relatedness on which it depends."""
        rows = ops.ones_like(inputs[0][:, 0], dtype="float32")
        if self.options.temperature == "fixed":
            return self.options.fixed_temperature * rows
        bounds = self.options.min_temperature, self.options.max_temperature
        if self.options.temperature == "learned":
            return adaptive_temperature(ops.sigmoid(self.common_relatedness) * rows, *bounds)
        logit = self.relatedness[task](*inputs, training=training)
        relatedness = ops.sigmoid(logit)
        introspection.record(f"relatedness_logit/{anchor}/{task}", logit)
        introspection.record(f"relatedness/{anchor}/{task}", relatedness)
        return adaptive_temperature(ops.stop_gradient(relatedness), *bounds)

    def weighted_task_losses(
        self, labels: Labels, logits: Logits, weights: RowWeights
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """Computes the mean loss of each task as the backbone does, and the sum of the weights of its rows.

        Args:
            labels: Labels by task name, each `(batch,)` float32, without NaN.
            logits: Logits by task name, each `(batch,)`.
            weights: Weights of the rows.

        Returns:
            Pairs of scalars by task name.
        """
        return self.backbone.weighted_task_losses(labels, logits, weights)  # type: ignore[no-any-return]

    def extra_losses(
        self, labels: Labels, logits: Logits, taps: Mapping[str, Tensor], weights: RowWeights
    ) -> dict[str, Tensor]:
        """Computes the backbone's losses, and `alpha L_rel` and `beta L_cl` of each contrasted task.

        Args:
            labels: Labels by task name, each `(batch,)` float32, without NaN.
            logits: Logits by task name, each `(batch,)`.
            taps: Tensors that the forward pass recorded. Without them, the losses of AdaFTR are left out.
            weights: Weights of the rows.

        Returns:
            Scalars by the names in `extra_loss_names`.
        """
        extras = dict(self.backbone.extra_losses(labels, logits, taps, weights))
        for anchor, task in self.pairs if taps else ():
            if self.options.adaptive:
                is_same = ops.cast(ops.equal(labels[anchor], labels[task]), "float32")
                loss = binary_cross_entropy(is_same, taps[f"relatedness_logit/{anchor}/{task}"])
                relatedness_loss = batch_mean(loss, weights.of_pair(task, anchor))
                extras[f"{task}_relatedness_loss"] = self.options.alpha * relatedness_loss
            sample_weight = weights.sample_of_pair(task, anchor)
            loss = self._contrast(anchor, task, taps, sample_weight)
            contrast = batch_mean(loss, sample_weight)
            if self.options.contrast_reduction == "sum":
                weight = ops.ones_like(loss) if sample_weight is None else ops.cast(sample_weight, "float32")
                contrast = contrast * sum_over_replicas(ops.sum(weight))
            extras[f"{task}_contrastive_loss"] = self.options.beta * contrast
        return extras

    def _contrast(self, anchor: str, task: str, taps: Mapping[str, Tensor], sample_weight: Tensor | None) -> Tensor:
        """Returns the contrastive loss of a pair of tasks on each row, `(batch,)`; rows of weight 0 are left out."""
        options, hiddens = self.options, (taps[f"contrast/{anchor}"], taps[f"contrast/{task}"])
        keep = None if sample_weight is None else sample_weight > 0
        if options.contrast == "info_nce":
            temperature = taps[f"temperature/{anchor}/{task}"]
            return info_nce(*hiddens, temperature, options.similarity, keep, options.contrast_block)
        if options.contrast == "bpr":
            return bpr_contrast(*hiddens, options.similarity, keep)
        return alignment(*hiddens, options.contrast)

    def _check_towers(self) -> None:
        """Raises a `ConfigError` unless the backbone has a tower with the contrasted layer for each contrasted task."""
        config_error = config.Document(None).error
        towers = getattr(self.backbone, "towers", {})
        depths = []
        for task in {task for pair in self.pairs for task in pair}:
            if not isinstance(towers.get(task), Tower):
                message = f"should be a model with a tower for each task. Received: {self.options.backbone!r}"
                raise config_error(("backbone",), message)
            depths.append(len(towers[task].hidden.units))
        if self.options.contrast_layer >= min(depths):
            message = f"should be below {min(depths)}, the number of a tower's hidden layers"
            raise config_error(("contrast_layer",), f"{message}. Received: {self.options.contrast_layer}")
