"""Process that trains one epoch of torch-rechub's Shared-Bottom, in the environment of `benchmarks.rivals`."""

import contextlib
import io
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch_rechub.basic.features import SequenceFeature, SparseFeature
from torch_rechub.models.multi_task import SharedBottom
from torch_rechub.trainers import MTLTrainer
from torch_rechub.utils.data import DataGenerator

from benchmarks import protocol
from benchmarks.measure_epoch import LABELS
from benchmarks.measure_rechub import make_optimizer
from benchmarks.timing import peak_memory_mb

Rows = Mapping[str, np.ndarray]


def run(job: Mapping[str, Any]) -> dict[str, Any]:
    """Measures the seconds of `MTLTrainer.train_one_epoch` on rows that are in memory as ids.

    Args:
        job: `rows` (a file of ids by feature and of labels), `batch`, `embedding_dim`, `bottom_units`, `tower_units`,
            `dropout`, and `as_shipped`: whether the library's loader collates each row and its optimizer is that of all
            embeddings; otherwise batches are slices of the arrays, and the optimizer is sparse.
    """
    torch.manual_seed(1)
    with np.load(job["rows"]) as file:
        rows = {name: values for name, values in file.items() if values.dtype.kind == "i" or name == LABELS}
    labels = rows.pop(LABELS)
    features = [_feature(name, values, job["embedding_dim"]) for name, values in rows.items()]
    bottom = {"dims": job["bottom_units"], "dropout": job["dropout"]}
    towers = [{"dims": job["tower_units"], "dropout": job["dropout"]} for _ in labels.T]
    model = SharedBottom(features, ["classification"] * len(towers), bottom, towers)
    trainer = MTLTrainer(model, ["classification"] * len(towers), **make_optimizer(model, not job["as_shipped"]))
    loader: Any = _Slices(rows, labels, job["batch"])
    if job["as_shipped"]:
        generator = DataGenerator(rows, labels)
        loader = generator.generate_dataloader(rows, labels, rows, labels, batch_size=job["batch"])[0]
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        trainer.train_one_epoch(loader)
    return {"seconds": time.perf_counter() - start, "rows": len(labels), "peak_mb": peak_memory_mb()}


def _feature(name: str, values: np.ndarray, embedding_dim: int) -> Any:
    count = int(values.max()) + 1
    if values.ndim == 1:
        return SparseFeature(name, count, embedding_dim)
    return SequenceFeature(name, count, embedding_dim, pooling="mean", padding_idx=0)


class _Slices:
    """Loader of shuffled batches, which are slices of permuted arrays."""

    def __init__(self, rows: Rows, labels: np.ndarray, batch: int) -> None:
        self._rows, self._labels, self._batch = rows, labels, batch

    def __len__(self) -> int:
        return -(-len(self._labels) // self._batch)

    def __iter__(self) -> Iterator[Any]:
        order = np.random.default_rng(1).permutation(len(self._labels))
        for first in range(0, len(order), self._batch):
            index = order[first : first + self._batch]
            yield (
                {name: torch.from_numpy(values[index]) for name, values in self._rows.items()},
                torch.from_numpy(self._labels[index]),
            )


if __name__ == "__main__":
    protocol.answer(run)
