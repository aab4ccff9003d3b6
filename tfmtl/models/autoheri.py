"""AutoHERI: a network for each task, with learned connections from the layers of a task to those of the next."""

from collections.abc import Mapping
from typing import Any

import keras

from tfmtl.layers import RepresentationIntegration
from tfmtl.models.esmm import ESMM
from tfmtl.models.options.autoheri import INFO, AutoHERIOptions
from tfmtl.models.registry import register_model
from tfmtl.spec import DatasetSpec
from tfmtl.types import Features, Tensor


@register_model("autoheri")
class AutoHERI(ESMM):
    """Automated Hierarchical Representation Integration (AutoHERI).

    Each task has a network. Layer l of a task k that follows a task k' also reads each layer j of the network of k',
    multiplied by a learned connection p_lj in (0, 1):

    `h_{k,l} = act(W h_{k,l-1} + sum_j p_lj V_lj h_{k',j} + b)` and `c_k = sigmoid(tower_k(h_{k,L}))`,

    where `h_{k,0} = x` are the embeddings of the fields. A network is a layer `tfmtl.layers.RepresentationIntegration`
    with L^2 connections for each task that follows another, as AdaFTR counts them (Table 1). Outputs and losses are
    those of `ESMM`: heads are conditional, and losses are those of the products. A task receives information from all
    tasks before it in its chain, and its loss also trains their networks, through the connections and through the
    product.

    The connections are `architecture_variables`. `tfmtl.training.ArchitectureSearch` trains them on separate rows,
    alternating with the other weights, as the one-shot search of the paper does. Plain training trains them jointly
    with the other weights. `weight_decay` leaves them out, because decay moves a connection towards 1/2. They are
    recorded as `connection/<task>`, `(layers, layers)`, with the receiving layer in the row and the source layer in the
    column.

    Choices where the paper is not specific:

    - A connection is open or closed, and p is the probability that it is open. Each is a separate sigmoid instead of
      a share of a softmax, so a layer may read several layers.
    - The matrix V of a connection is trained, so that layers of different widths can be connected.
    - No connection is removed after training: the served network is the trained one.

    Args:
        spec: Features and tasks of the dataset.
        vocabulary_sizes: Number of tokens in the vocabulary of each feature that has one.
        options: Hyper-parameters. Defaults to `AutoHERIOptions()`.
        **kwargs: `name` and `dtype` of `keras.Model`.

    Call arguments:
        features: Transformed features by name, each `(batch,)` or `(batch, length)`.
        training: Whether dropout is applied.

    Returns:
        Logits by task name, each `(batch,)` float32.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import AutoHERI, AutoHERIOptions
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> features = (CategoricalFeature("user"), CategoricalFeature("item"))
        >>> tasks = (Task("click", "clicked"), Task("buy", "bought", follows="click"))
        >>> options = AutoHERIOptions(embedding_dim=4, network_units=(8, 4))
        >>> model = AutoHERI(DatasetSpec("shop", features, tasks), {"user": 100, "item": 50}, options)
        >>> scores = model.score({"user": np.array([3, 7]), "item": np.array([1, 0])})
        >>> {name: tuple(values.shape) for name, values in scores.items()}
        {'click': (2,), 'buy_given_click': (2,), 'buy': (2,)}

    References:
        - [Wei et al., 2021, AutoHERI: Automated Hierarchical Representation Integration for Post-Click Conversion Rate
          Estimation](https://doi.org/10.1145/3459637.3482061)
    """

    options_class = AutoHERIOptions
    paper = INFO.paper
    equations = INFO.equations
    defaults = INFO.defaults
    presets = INFO.presets

    options: AutoHERIOptions

    def __init__(
        self,
        spec: DatasetSpec,
        vocabulary_sizes: Mapping[str, int],
        options: AutoHERIOptions | None = None,
        **kwargs: Any,
    ) -> None:
        options = options or AutoHERIOptions()
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        self.networks = {
            task.name: RepresentationIntegration(options.network_units, dropout=options.dropout, name=task.name)
            for task in spec.tasks
        }

    @property
    def architecture_variables(self) -> list[keras.Variable]:
        """The connections, which `tfmtl.training.ArchitectureSearch` trains on separate rows."""
        connections = [network.connections for network in self.networks.values()]
        return [variable for variable in connections if variable is not None]

    @property
    def decayed_variables(self) -> list[keras.Variable]:
        """Variables that the option `weight_decay` decays: all but the connections."""
        connections = {id(variable) for variable in self.architecture_variables}
        return [variable for variable in self.trainable_variables if id(variable) not in connections]

    def call(self, features: Features, training: bool | None = None) -> dict[str, Tensor]:
        inputs = self.embed_flat(features)
        layers: dict[str, list[Tensor]] = {}
        for task in self.spec.tasks:  # A spec lists a task after its previous task.
            sources = layers[task.follows] if task.follows else None
            layers[task.name] = self.networks[task.name](inputs, sources, training=training)
        return {name: tower(layers[name][-1], training=training) for name, tower in self.towers.items()}
