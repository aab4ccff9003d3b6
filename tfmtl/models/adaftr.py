"""AdaFTR: a contrast between the tasks' towers, as strict on an instance as its tasks are related there."""

from collections.abc import Mapping
from typing import Any, ClassVar

import tensorflow as tf
from keras import ops

from tfmtl import config, introspection
from tfmtl.layers import Relatedness, Tower
from tfmtl.losses import alignment, binary_cross_entropy, bpr_contrast, info_nce
from tfmtl.losses.batch_mean import batch_mean
from tfmtl.models.adaftr_options import AdaFTROptions
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.registry import register_model
from tfmtl.ops import adaptive_temperature


@register_model("adaftr")
class AdaFTR(MultiTaskModel):
    """`L = sum_k L_k + sum_t (alpha L_rel,t + beta L_cl,t)`, t the tasks that an anchor task a is contrasted with.

    It wraps a backbone, which gives logits, tower inputs v and tower hiddens h. `L_rel,t` is the cross-entropy of
    `y_rel = sigmoid(MLP(v_a (.) v_t))` against `1[y_a = y_t]` (8-11); it changes the relatedness network and nothing
    else. `L_cl,t` is the InfoNCE loss between h_a and h_t, with the other rows of the batch as negatives and the
    temperature `tau = (tau^U - tau^L) (1 - y_rel) + tau^L` of each row, a constant to it (12, 13, Algorithm 1). Both
    are means over all rows, as the tasks' losses are over theirs. Count tasks are the backbone's alone. Under
    `tf.distribute` the negatives of a row are those of its replica.

    Decisions where the paper leaves room:

    - **D** 2.4.1 has the contrast update "only the parameters for each task", line 17 of Algorithm 1 all of the base.
      `contrast_scope="towers"` (default) stops its gradient at the towers' inputs; with dropout the towers draw
      another mask for it. `"all"` is the other reading.
    - **D** the relatedness network learns by L_rel alone, as in Algorithm 1; that 2.4.1 says L_cl is a slip.
    - **D** `lambda ||Theta||` (14) are the options `weight_decay` and `embedding_l2`, 0 by default: with lambda = 1
      (Table 3) it would outweigh every mean of losses. The relatedness network is no part of Theta.

    Ablations of Table 5: without adaptive tau, `temperature="learned"`, which is (12) with one trained y_rel for all
    rows; without learnable tau, `temperature="fixed"`; without negatives, `contrast="bpr"`; without contrast,
    `contrast="mse"`. None of them has a relatedness network.

    Scores and exports are the backbone's: the relatedness network costs nothing there. The paper trains with Adam, a
    learning rate of 5e-4 and batches of 1024 rows.

    Shown by introspection, besides what the backbone shows: `relatedness/<anchor>/<task>` (y_rel), its logit
    `relatedness_logit/<anchor>/<task>` and `temperature/<anchor>/<task>`, each `(batch,)`, and the contrasted hiddens
    `contrast/<task>`.

    References:
        - [Lin et al., 2023, Modeling Adaptive Fine-grained Task Relatedness for Joint CTR-CVR Estimation]
          (https://arxiv.org/abs/2208.13442)
    """

    options_class = AdaFTROptions
    paper = "Lin et al., 2023, AdaFTR (KDD)"
    equations = "5-14, Algorithm 1"
    # The paper gives the number of experts, not their size: one layer, as wide as the first of the tower.
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "ali_ccp": {
            "embedding_dim": 8,
            "backbone": "mmoe",
            "backbone_options": {"num_experts": 3, "expert_units": [64], "tower_units": [64, 32, 16]},
        },
        "ecomm_ads": {
            "embedding_dim": 8,
            "backbone": "mmoe",
            "backbone_options": {"num_experts": 3, "expert_units": [128], "tower_units": [128, 64, 32]},
        },
        "ecomm_ads_shared_bottom": {  # These two backbones are of Table 6.
            "embedding_dim": 8,
            "backbone": "shared_bottom",
            "backbone_options": {"bottom_units": [128], "tower_units": [64, 32]},
        },
        "ecomm_ads_ple": {
            "embedding_dim": 8,
            "backbone": "ple",
            "backbone_options": {
                "num_shared": 1,
                "num_per_task": 1,
                "expert_units": [128],
                "tower_units": [128, 64, 32],
            },
        },
    }

    def __init__(self, spec: Any, vocabulary_sizes: Any, options: AdaFTROptions, **kwargs: Any):
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        self._check_towers()
        if options.adaptive:
            units = options.relatedness_units
            self.relatedness = {task: Relatedness(units, name=f"relatedness_{task}") for _, task in self.pairs}
        elif options.contrast == "info_nce" and options.temperature == "learned":
            self.common_relatedness = self.add_weight(shape=(), initializer="zeros", name="common_relatedness")

    def make_embedding(self):
        kind, options = self.options.backbone_class(), self.options.all_backbone_options()
        self.backbone = kind.from_spec(self.spec, self.vocabulary_sizes, **options)
        self.backbone.name = self.options.backbone
        return self.backbone.embedding

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The anchor task and each task that it is contrasted with."""
        return self.options.pairs(self.spec)

    def serving_model(self):
        return self.backbone

    @property
    def spaces(self):
        return self.backbone.spaces

    @property
    def sparse_embeddings(self):
        return self.backbone.sparse_embeddings

    @property
    def decayed_variables(self):
        return self.backbone.decayed_variables

    @property
    def architecture_variables(self):
        return self.backbone.architecture_variables

    @property
    def upper_layers(self):
        return (*self.backbone.upper_layers, *getattr(self, "relatedness", {}).values(), *super().upper_layers)

    @property
    def extra_loss_names(self):
        kinds = ("relatedness", "contrastive") if self.options.adaptive else ("contrastive",)
        own = [f"{task}_{kind}_loss" for _, task in self.pairs for kind in kinds]
        return (*self.backbone.extra_loss_names, *own)

    def score(self, features):
        return self.backbone.score(features)

    def call(self, features, training=None):
        with introspection.collect() as taps:
            logits = self.backbone(features, training=training)
        for name, value in taps.items():
            introspection.record(name, value)
        for task in dict.fromkeys(task for pair in self.pairs for task in pair):
            introspection.record(f"contrast/{task}", self._contrasted(task, taps, training))
        if self.options.contrast == "info_nce":
            for anchor, task in self.pairs:
                inputs = [ops.stop_gradient(taps[f"tower_input/{name}"]) for name in (anchor, task)]
                introspection.record(f"temperature/{anchor}/{task}", self._temperature(anchor, task, inputs, training))
        return logits

    def _contrasted(self, task: str, taps: Mapping[str, Any], training: bool | None) -> Any:
        """The hidden layer of a task that is contrasted, `(batch, units)`."""
        layer = self.options.contrast_layer
        if self.options.contrast_scope == "all":
            return taps[f"tower/{task}/{layer}"]
        inputs = ops.stop_gradient(taps[f"tower_input/{task}"])
        return self.backbone.towers[task].hidden_at(inputs, layer, training=training)

    def _temperature(self, anchor: str, task: str, inputs: list[Any], training: bool | None) -> Any:
        """The temperature of each row, `(batch,)`; records the relatedness that it follows from."""
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

    def _tasks_losses(self, labels, logits, sample_weight):
        return self.backbone._tasks_losses(labels, logits, sample_weight)

    def extra_losses(self, labels, logits, taps, sample_weight=None):
        """The backbone's, and for each pair `alpha L_rel` and `beta L_cl`: none where no forward pass gave `taps`."""
        extras = dict(self.backbone.extra_losses(labels, logits, taps, sample_weight))
        for anchor, task in self.pairs if taps else ():
            if self.options.adaptive:
                same = ops.cast(ops.equal(labels[anchor], labels[task]), "float32")
                loss = binary_cross_entropy(same, taps[f"relatedness_logit/{anchor}/{task}"])
                extras[f"{task}_relatedness_loss"] = self.options.alpha * batch_mean(loss, sample_weight)
            loss = self._contrast(anchor, task, taps, sample_weight)
            extras[f"{task}_contrastive_loss"] = self.options.beta * batch_mean(loss, sample_weight)
        return extras

    def _contrast(self, anchor: str, task: str, taps: Mapping[str, Any], sample_weight: Any) -> Any:
        """The contrast of a pair in each row, `(batch,)`; rows of weight 0 take no part."""
        options, hiddens = self.options, (taps[f"contrast/{anchor}"], taps[f"contrast/{task}"])
        keep = None if sample_weight is None else tf.cast(sample_weight, "float32") > 0
        if options.contrast == "info_nce":
            temperature = taps[f"temperature/{anchor}/{task}"]
            return info_nce(*hiddens, temperature, options.similarity, keep, options.contrast_block)
        if options.contrast == "bpr":
            return bpr_contrast(*hiddens, options.similarity, keep)
        return alignment(*hiddens, options.contrast)

    def _check_towers(self) -> None:
        """Raises `ConfigError` unless the backbone has a tower for each contrasted task, with that hidden layer."""
        problem = config.Document(None).error
        towers = getattr(self.backbone, "towers", {})
        depths = []
        for task in {task for pair in self.pairs for task in pair}:
            if not isinstance(towers.get(task), Tower):
                message = f"should be a model with a tower for each task. Received: {self.options.backbone!r}"
                raise problem(("backbone",), message)
            depths.append(len(towers[task].hidden.units))
        if self.options.contrast_layer >= min(depths):
            message = f"should be below {min(depths)}, the number of a tower's hidden layers"
            raise problem(("contrast_layer",), f"{message}. Received: {self.options.contrast_layer}")
