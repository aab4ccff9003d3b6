"""Division of a batch into episodes, each with a support set and a query set."""

import dataclasses
import itertools
from typing import Any

import keras
import tensorflow as tf

from tfmtl.types import Tensor, TensorLike


@dataclasses.dataclass(frozen=True)
class Episode:
    """Two disjoint sets of rows of a batch.

    Attributes:
        support: Indices of the rows on which parameters are adapted, `(rows,)` integers.
        query: Indices of the rows on which the adapted parameters are evaluated, `(rows,)` integers.

    Example:
        >>> import tensorflow as tf
        >>> from tfmtl.training.episodes import Episode
        >>> episode = Episode(support=tf.constant([0, 3]), query=tf.constant([1, 2]))
    """

    support: Tensor
    query: Tensor


def draw_episodes(
    batch_size: TensorLike,
    episodes: int,
    support_fraction: float,
    groups: TensorLike | None = None,
    seed: TensorLike | None = None,
) -> list[Episode]:
    """Divides the rows of a batch into random episodes whose sizes differ by at most one row.

    Each row is in one set of one episode.

    With `groups`, the groups are put in random order, and the rows in this order are cut into episodes of equal size.
    An episode therefore contains few groups; a group smaller than an episode is in at most two episodes, and a larger
    group fills several. Support and query set are drawn at random within an episode, so that both contain rows of its
    groups.

    If a batch has fewer than two rows per episode, several episodes share rows. The support and the query set of an
    episode are disjoint if the batch has at least two rows, and the same row otherwise.

    Args:
        batch_size: Number of rows, at least 1; a number or a scalar tensor.
        episodes: Number of episodes.
        support_fraction: Share of an episode's rows that are in the support set; both sets have at least one row.
        groups: Group of each row, `(batch,)` integers; None to draw rows independently of groups.
        seed: Two integers `(2,)` that determine the episodes; None for other episodes in each call.

    Returns:
        The episodes.

    Raises:
        ValueError: If `groups` does not have one dimension.

    Example:
        >>> from tfmtl.training.episodes import draw_episodes
        >>> drawn = draw_episodes(batch_size=8, episodes=2, support_fraction=0.25)
        >>> [(len(episode.support), len(episode.query)) for episode in drawn]
        [(1, 3), (1, 3)]
    """
    rows = tf.cast(batch_size, "int32")
    if seed is None:
        seed = tf.random.uniform((2,), maxval=tf.int64.max, dtype=tf.int64)
    order = _order_by_group(groups, seed) if groups is not None else shuffle(tf.range(rows), seed)
    bounds = [rows * episode // episodes for episode in range(episodes + 1)]
    drawn = []
    for episode, (start, end) in enumerate(itertools.pairwise(bounds), 1):
        size = tf.maximum(end - start, 2)
        members = tf.gather(order, (start + tf.range(size)) % rows)
        if groups is not None:
            members = shuffle(members, seed, episode)
        support_size = tf.cast(tf.round(support_fraction * tf.cast(size, "float32")), "int32")
        support_size = tf.clip_by_value(support_size, 1, size - 1)
        drawn.append(Episode(members[:support_size], members[support_size:]))
    return drawn


def shuffle(values: Tensor, seed: TensorLike, draw: int = 0) -> Tensor:
    """Puts values in a random order that two integers determine.

    Args:
        values: Values `(rows,)`.
        seed: The integers, `(2,)`.
        draw: Index of the order among the orders that a seed gives.

    Example:
        >>> import tensorflow as tf
        >>> from tfmtl.training.episodes import shuffle
        >>> sorted(shuffle(tf.range(4), seed=(17, 3)).numpy().tolist())
        [0, 1, 2, 3]
    """
    keys = tf.random.experimental.stateless_fold_in(tf.cast(seed, tf.int64), draw)
    return tf.random.experimental.stateless_shuffle(values, seed=keys)


def _order_by_group(groups: TensorLike, seed: TensorLike) -> Tensor:
    """Returns the indices of the rows, those of a group next to each other and the groups in random order."""
    groups = tf.convert_to_tensor(groups)
    if groups.shape.rank != 1:
        raise ValueError(f"`groups` should have the shape (batch,). Received: {groups.shape}")
    _, group = tf.unique(groups)
    position = shuffle(tf.range(tf.reduce_max(group) + 1), seed)
    return tf.argsort(tf.gather(position, group))


def gather_rows(structure: Any, rows: Tensor) -> Any:
    """Gathers the same rows of every tensor of a nested structure.

    Args:
        structure: Nested structure of tensors `(batch, ...)`; entries that are None stay None.
        rows: Indices of the rows, `(rows,)` integers.

    Returns:
        The same structure of tensors `(rows, ...)`.

    Example:
        >>> import tensorflow as tf
        >>> from tfmtl.training.episodes import gather_rows
        >>> gather_rows({"user": tf.constant([7, 8, 9])}, tf.constant([2, 0]))["user"].numpy().tolist()
        [9, 7]
    """
    return keras.tree.map_structure(lambda tensor: None if tensor is None else tf.gather(tensor, rows), structure)
