"""Synthetic batches of a log with a few large and many small vocabularies. Needs only NumPy."""

import numpy as np

Batch = tuple[dict[str, np.ndarray], dict[str, np.ndarray]]
"""Features and labels by name."""
FIELDS = 23
_SHARE = 0.6
"""Size of a vocabulary, relative to that of the field before; the two largest fields have 64 % of the ids."""
_MIN_SIZE = 4
TASKS = ("click", "purchase")
_RATES = {"click": 0.05, "purchase": 0.1}


def field_sizes(ids: int, fields: int = FIELDS) -> dict[str, int]:
    """Distributes ids over fields of decreasing size.

    Args:
        ids: Number of ids of all fields together.
        fields: Number of fields.

    Returns:
        Number of ids by field.

    Raises:
        ValueError: If there are too few ids for the number of fields.
    """
    weights = _SHARE ** np.arange(fields)
    sizes = np.maximum(_MIN_SIZE, ids * weights / weights.sum()).astype("int64")
    sizes[0] += ids - sizes.sum()
    if sizes[0] < sizes[1]:
        raise ValueError(f"`ids` should be enough for {fields} fields. Received: {ids}")
    return {f"field_{i:02d}": int(size) for i, size in enumerate(sizes)}


def zipf_ids(rng: np.random.Generator, size: int, shape: tuple[int, ...]) -> np.ndarray:
    """Draws ids; the probability of id r is proportional to `1 / (r + 1)`.

    Args:
        rng: Random number generator.
        size: Number of ids.
        shape: Shape of the result.

    Returns:
        Ids from 0 to `size - 1`, int64.
    """
    cumulative = np.cumsum(1.0 / np.arange(1, size + 1))
    ids: np.ndarray = np.searchsorted(cumulative, rng.random(shape) * cumulative[-1], side="right")
    return ids.clip(max=size - 1)


def log_batches(ids: int, batch: int, count: int, seed: int) -> list[Batch]:
    """Draws batches of a log with clicks, and purchases after clicks.

    Args:
        ids: Number of ids of all fields together.
        batch: Number of rows of a batch.
        count: Number of batches.
        seed: Seed of the draws.

    Returns:
        For each batch, ids by field, int64 `(batch,)`, and labels by task, float32 `(batch,)`.
    """
    rng = np.random.default_rng(seed)
    columns = {name: zipf_ids(rng, size, (count, batch)) for name, size in field_sizes(ids).items()}
    click = rng.random((count, batch)) < _RATES["click"]
    purchase = click & (rng.random((count, batch)) < _RATES["purchase"])
    labels = {"click": click.astype("float32"), "purchase": purchase.astype("float32")}
    return [({n: c[i] for n, c in columns.items()}, {n: label[i] for n, label in labels.items()}) for i in range(count)]
