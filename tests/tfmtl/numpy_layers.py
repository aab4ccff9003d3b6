"""Parts of a forward pass in plain NumPy, from which tests of models compose the equations of papers.

The arguments `layer`, `bank`, `gate` and `model` are built Keras objects, whose weights the functions read.
"""

import numpy as np

from tests.tfmtl import cases


def embedded(table, features):
    """Returns the embeddings of the features of `cases`, `(batch, fields, width)`; multivalent fields are pooled."""
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
    """Returns the concatenated embeddings of the fields, `(batch, fields * width)`."""
    return embedded(model.embedding.get_weights()[0], features).reshape(len(features["user"]), -1)


def sigmoid(logits):
    return 1 / (1 + np.exp(-np.asarray(logits, "float64")))


def softmax(scores):
    """Returns the softmax over the last axis."""
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def cross_entropy(labels, probabilities):
    return -(labels * np.log(probabilities) + (1 - labels) * np.log1p(-probabilities))


def dense(layer, x):
    kernel, bias = layer.get_weights()
    return x @ kernel + bias


def relu_layers(x, weights):
    """Applies dense layers with ReLU; `weights` has the kernel and the bias of each layer."""
    for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
        x = np.maximum(x @ kernel + bias, 0)
    return x


def tower(layer, x):
    """Returns the logit of a `Tower`, `(batch,)`."""
    *hidden, kernel, bias = layer.get_weights()
    return (relu_layers(x, hidden) @ kernel + bias)[:, 0]


def experts(bank, x):
    """Returns the outputs of the experts of a bank with two layers, in its order."""
    k1, k2, b1, b2 = bank.get_weights()
    return [relu_layers(x, [k1[e], b1[e], k2[e], b2[e]]) for e in range(len(k1))]


def gated(gate, x, mixed):
    """Returns the mixture of experts by a gate that reads x, and the weights of the gate."""
    weights = softmax(x @ gate.get_weights()[0])
    return sum(weights[:, [e]] * expert for e, expert in enumerate(mixed)), weights


def task_attention(layer, own, previous=None, each=False):
    """Returns the output of a `TaskAttention` and its weights for the previous and the own task, `(batch, 2)`.

    The query is that of the own task or, with `each`, that of each of the two tasks. Without a previous task the output
    is the own value.
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
