"""Updates of Keras metrics in batches and in a model."""

import keras
import numpy as np


def result_of_batches(metric, labels, predictions, weights=None):
    """Returns the result after updates with batches of different sizes, one of them empty."""
    labels, predictions = (np.asarray(one, "float32") for one in (labels, predictions))
    weights = None if weights is None else np.asarray(weights, "float32")
    ends = [1, len(labels) // 3, len(labels) // 3, len(labels) - 1]
    for part in np.split(np.arange(len(labels)), ends):
        metric.update_state(labels[part], predictions[part], None if weights is None else weights[part])
    return float(metric.result())


def evaluate(metric, labels, predictions, weights):
    """Returns the value of a metric named "found" that `evaluate` of a model computes in batches.

    The model returns its input, and is loaded from its compile configuration, which includes the metric.
    """
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Identity()(inputs))
    model.compile("sgd", loss="mse", weighted_metrics=[metric])
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    assert copy.compiled
    values = np.asarray(predictions, "float32").reshape(-1, 1)
    logs = copy.evaluate(values, labels, sample_weight=weights, batch_size=32, return_dict=True, verbose=0)
    return logs["found"]
