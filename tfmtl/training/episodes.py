"""Dividing a batch into episodes, each with a support set and a query set."""

import dataclasses
import itertools
from typing import Any

import keras
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Episode:
    """Two disjoint sets of rows of a batch.

    Attributes:
        support: indices of the rows on which parameters are adapted.
        query: indices of the rows on which the adapted parameters are judged.
    """

    support: Any
    query: Any


def draw_episodes(batch_size: Any, episodes: int, support_fraction: float, groups: Any = None) -> list[Episode]:
    """Divides the rows of a batch at random, each into one set of one episode; sizes differ by one row at most.

    With `groups`, rows of one group stand together: the groups are put in random order and their rows cut into equal
    episodes. So an episode holds few groups, a group smaller than an episode lies in two at most, and a larger one
    fills several; equal sizes keep the work the same whatever the groups are. Within an episode support and query are
    drawn at random, so that both hold rows of its groups.

    A batch of fewer than two rows an episode lends its rows to several episodes; support and query of one episode are
    disjoint as long as there are two rows, and the same row in a batch of one.

    Args:
        batch_size: how many rows there are, at least 1; a number or a scalar tensor.
        episodes: how many there are.
        support_fraction: share of an episode's rows that support it; both sets get a row at least.
        groups: `(batch,)` whole numbers, or None.
    """
    rows = tf.cast(batch_size, "int32")
    order = _grouped(groups) if groups is not None else tf.range(rows)
    bounds = [rows * episode // episodes for episode in range(episodes + 1)]
    if groups is None:
        order = tf.random.shuffle(order)
    drawn = []
    for start, end in itertools.pairwise(bounds):
        size = tf.maximum(end - start, 2)
        members = tf.gather(order, (start + tf.range(size)) % rows)
        if groups is not None:
            members = tf.random.shuffle(members)
        support = tf.cast(tf.round(support_fraction * tf.cast(size, "float32")), "int32")
        support = tf.clip_by_value(support, 1, size - 1)
        drawn.append(Episode(members[:support], members[support:]))
    return drawn


def _grouped(groups: Any) -> Any:
    """The rows, those of one group together and the groups in random order."""
    groups = tf.convert_to_tensor(groups)
    if groups.shape.rank != 1:
        raise ValueError(f"`groups` should hold one number a row. Received: shape {groups.shape}")
    _, group = tf.unique(groups)
    place = tf.random.shuffle(tf.range(tf.reduce_max(group) + 1))
    return tf.argsort(tf.gather(place, group))


def take(structure: Any, rows: Any) -> Any:
    """Those rows of every tensor of a structure; of None, None."""
    return keras.tree.map_structure(lambda tensor: None if tensor is None else tf.gather(tensor, rows), structure)
