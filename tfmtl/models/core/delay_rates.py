"""Rates of the delays of the tasks with `maturity: delay`, which are trained with the model and not served."""

from keras import ops

from tfmtl.layers import FusedEmbedding
from tfmtl.models.core.batches import RowWeights
from tfmtl.models.core.embedded_features import EmbeddedFeatures
from tfmtl.types import Features


class DelayRates(EmbeddedFeatures):
    """Base of `MultiTaskModel` that models the delay of an event as exponential, with a rate that depends on the row.

    The logarithm of the rate per day is linear in the features: the sum of a weight for each id, as in Chapelle (2014).
    The weights are in one table, initially 0. They are not part of the forward pass, so that no model and no output
    depends on them.

    Args:
        **kwargs: `name` and `dtype` of `keras.Model`.
    """

    delay_rates: FusedEmbedding | None

    def make_delay_rates(self) -> FusedEmbedding | None:
        """Creates the layer of the rates; None if no task has `maturity: delay`."""
        tasks = self._delayed_tasks()
        if not tasks:
            return None
        layer = self.make_linear(len(tasks), "delay_rates")
        layer(self.zero_batch())
        return layer

    @property
    def sparse_embeddings(self) -> tuple[FusedEmbedding, ...]:
        """Embedding layers of whose tables a batch reads few rows; each is called with the model's features."""
        found = super().sparse_embeddings
        return found if self.delay_rates is None else (*found, self.delay_rates)

    def with_delay_rates(self, features: Features | None, weights: RowWeights) -> RowWeights:
        """Returns the weights of rows with the logarithms of the rates of their delays.

        Args:
            features: Transformed features by name.
            weights: Weights of the rows.

        Raises:
            ValueError: If a task has a delay, and the features are not given.
        """
        tasks = self._delayed_tasks()
        if not tasks:
            return weights
        if features is None:
            raise ValueError(f"The features should be given for {', '.join(tasks)}, with a delay. Received: None")
        assert self.delay_rates is not None
        rates = ops.unstack(ops.sum(self.delay_rates(features), axis=1), len(tasks), axis=1)
        late = {task: weights.late[task]._replace(log_rate=rate) for task, rate in zip(tasks, rates, strict=True)}
        return weights._replace(late={**weights.late, **late})

    def _delayed_tasks(self) -> list[str]:
        """Returns the names of the tasks with `maturity: delay`."""
        tasks = [task for task in self.spec.tasks if task.open_labels is not None]
        return [task.name for task in tasks if task.open_labels and task.open_labels.maturity == "delay"]
