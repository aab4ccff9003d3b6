"""AutoHERI: a network a task, and learned connections from each layer of a task's to each layer of the next one's."""

import dataclasses
from typing import Any, ClassVar

from tfmtl.config import require
from tfmtl.layers import RepresentationIntegration
from tfmtl.models.esmm import ESMM, ESMMOptions
from tfmtl.models.registry import register_model


@dataclasses.dataclass(frozen=True)
class AutoHERIOptions(ESMMOptions):
    """Options of `AutoHERI`, besides those of every model. `space` and `local_space` are what they are by default.

    Attributes:
        network_units: width of each layer of a task's network; a task that follows another is connected with each
            layer of that one's, in each of its own.
        tower_units: width of each hidden layer of a tower, above the networks, where nothing is connected.
        dropout: rate, in networks and towers.
    """

    network_units: tuple[int, ...] = (128, 64, 32)
    tower_units: tuple[int, ...] = ()

    def __post_init__(self):
        super().__post_init__()
        positive = bool(self.network_units) and all(width >= 1 for width in self.network_units)
        require(positive, "network_units", "positive and at least one", self.network_units)


@register_model("autoheri")
class AutoHERI(ESMM):
    """`h_{k,l} = act(W h_{k,l-1} + sum_j p_lj V_lj h_{k',j} + b)`, `c_k = sigmoid(tower_k(h_{k,L}))`, `h_{k,0} = x`.

    k' is the task that k follows, p_lj in (0, 1) the connection from layer j of its network to layer l of k's
    (`tfmtl.layers.RepresentationIntegration`): L^2 of them for each task that follows one, as AdaFTR's Table 1 counts
    them. Outputs and losses are those of `ESMM`, the paper's entire space: heads are conditional, losses are of the
    products. A task learns from all those before it along its chain; a loss of a task that follows also changes the
    networks before it, through the connections and through the product.

    The connections are `architecture_variables`. Under `tfmtl.training.ArchitectureSearch` they are learned on rows of
    their own, in turn with the rest, as the paper's one-shot search has it; under plain training jointly with the
    rest. `weight_decay` leaves them alone: a decayed logit is a connection drawn to 1/2. They are recorded as
    `connection/<task>`, `(layers, layers)`: row l the layer that receives, column j the one that gives.

    Decisions where the paper leaves room:

    - A connection is open or not, and p is the probability that it is: each has a sigmoid of its own rather than a
      share of a softmax, and a layer may receive from several.
    - V is trained with each connection, so that layers of different widths can be connected.
    - No connection is cut after training: the network that is served is the one that was trained.

    References:
        - [Wei et al., 2021, AutoHERI: Automated Hierarchical Representation Integration for Post-Click Conversion Rate
          Estimation](https://doi.org/10.1145/3459637.3482061)
    """

    options_class = AutoHERIOptions
    paper = "Wei et al., 2021, Automated Hierarchical Representation Integration (AutoHERI, CIKM)"
    equations = "hierarchical representation integration, one-shot search"
    presets: ClassVar = {
        "adaftr_ali_ccp": {"embedding_dim": 8, "network_units": [64, 32, 16]},
        "adaftr_ecomm_ads": {"embedding_dim": 8, "network_units": [128, 64, 32]},
    }

    def __init__(self, spec: Any, vocabulary_sizes: Any, options: AutoHERIOptions, **kwargs: Any):
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        self.networks = {
            task.name: RepresentationIntegration(options.network_units, dropout=options.dropout, name=task.name)
            for task in spec.tasks
        }

    @property
    def architecture_variables(self):
        found = [network.connections for network in self.networks.values()]
        return [connections for connections in found if connections is not None]

    @property
    def decayed_variables(self):
        connections = {id(variable) for variable in self.architecture_variables}
        return [variable for variable in self.trainable_variables if id(variable) not in connections]

    def call(self, features, training=None):
        inputs = self.embed_flat(features)
        layers: dict[str, list[Any]] = {}
        for task in self.spec.tasks:  # A task stands after the one that it follows.
            sources = layers[task.follows] if task.follows else None
            layers[task.name] = self.networks[task.name](inputs, sources, training=training)
        return {name: tower(layers[name][-1], training=training) for name, tower in self.towers.items()}
