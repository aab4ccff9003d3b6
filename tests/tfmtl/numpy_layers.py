"""Parts of a forward pass in plain NumPy, of which tests of models compose the papers' equations.

`layer`, `bank`, `gate` and `model` are the built Keras ones: a part reads their weights and computes with those.
"""

import numpy as np

from tests.tfmtl import cases


def embedded(table, features):
    """`(batch, fields, width)` of the features of `cases`: rows of the table, weighted means of those of a bag."""
    first, fields = 0, []
    for name, rows in cases.ROWS.items():
        found = table[first + features[name]]
        if found.ndim == 3:
            weights = features[name + "__weights"][:, :, None]
            found = (weights * found).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9)
        fields.append(found)
        first += rows
    assert first == len(table)
    return np.stack(fields, axis=1)


def flat(model, features):
    """The fields' embeddings side by side, `(batch, fields * width)`."""
    return embedded(model.embedding.get_weights()[0], features).reshape(len(features["user"]), -1)


def sigmoid(logits):
    return 1 / (1 + np.exp(-np.asarray(logits, "float64")))


def softmax(scores):
    """Over the last axis."""
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def cross_entropy(labels, probabilities):
    return -(labels * np.log(probabilities) + (1 - labels) * np.log1p(-probabilities))


def dense(layer, x):
    kernel, bias = layer.get_weights()
    return x @ kernel + bias


def relu_layers(x, weights):
    """Layers of kernel and bias, in that order in `weights`, with ReLU after each."""
    for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
        x = np.maximum(x @ kernel + bias, 0)
    return x


def tower(layer, x):
    """The logit of a `Tower`, `(batch,)`."""
    *hidden, kernel, bias = layer.get_weights()
    return (relu_layers(x, hidden) @ kernel + bias)[:, 0]


def experts(bank, x):
    """The outputs of a bank's experts of two layers, in its order."""
    k1, k2, b1, b2 = bank.get_weights()
    return [relu_layers(x, [k1[e], b1[e], k2[e], b2[e]]) for e in range(len(k1))]


def gated(gate, x, mixed):
    """What a gate that reads x makes of experts, and its weights."""
    weights = softmax(x @ gate.get_weights()[0])
    return sum(weights[:, [e]] * expert for e, expert in enumerate(mixed)), weights


def task_attention(layer, own, previous=None, each=False):
    """What a `TaskAttention` makes of a task and the one before it, and its weights, `(batch, 2)`: previous, own.

    The task asks, or with `each` each of the two asks for itself. A first task has its own value.
    """
    if previous is None:
        return dense(layer.value, own), np.tile([0.0, 1.0], (len(own), 1))
    tokens = [previous, own]
    queries = [dense(layer.queries, token if each else own) for token in tokens]
    scores = [(query * dense(layer.key, token)).sum(axis=1) for query, token in zip(queries, tokens, strict=True)]
    weights = softmax(np.stack(scores, axis=1) / np.sqrt(own.shape[1]))
    values = [dense(layer.value, token) for token in tokens]
    return weights[:, [0]] * values[0] + weights[:, [1]] * values[1], weights


def log_round_ids(numbers, scale, lowest, highest, default=None):
    """One number at a time, in Python."""
    ids = []
    for number in np.ravel(numbers):
        if np.isnan(number) and default is None:
            ids.append(0)
            continue
        value = float(default if np.isnan(number) else number)
        bucket = np.sign(value) * np.round(np.float32(np.log1p(np.float32(abs(value)))) * np.float32(scale))
        ids.append(int(min(max(bucket, lowest), highest)) - lowest + 1)
    return np.reshape(ids, np.shape(numbers))
