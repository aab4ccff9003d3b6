"""Process that measures the training step of torch-rechub's MMoE, in the environment of `benchmarks.rivals`."""

import contextlib
import io
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch_rechub.basic.features import SparseFeature
from torch_rechub.models.multi_task import MMOE
from torch_rechub.trainers import MTLTrainer

from benchmarks import protocol
from benchmarks.batches import TASKS, field_sizes, log_batches
from benchmarks.timing import peak_memory_mb, seconds_per_step


class SparseAndDenseAdam:
    """`SparseAdam` for the embedding tables and `Adam` for the other parameters, which the library does not offer.

    Args:
        model: The model.
        lr: Learning rate.
    """

    def __init__(self, model: torch.nn.Module, lr: float) -> None:
        tables = [one.weight for one in model.modules() if isinstance(one, torch.nn.Embedding)]
        table_ids = {id(table) for table in tables}
        rest = [parameter for parameter in model.parameters() if id(parameter) not in table_ids]
        self.optimizers = [torch.optim.SparseAdam(tables, lr=lr), torch.optim.Adam(rest, lr=lr)]
        self.param_groups = [group for one in self.optimizers for group in one.param_groups]

    def step(self) -> None:
        """Updates all parameters."""
        for optimizer in self.optimizers:
            optimizer.step()


def run(job: Mapping[str, Any]) -> dict[str, Any]:
    """Measures seconds and peak memory of a step of the library's trainer, on the same batches as the other rows.

    Args:
        job: The job, with the settings of the run.
    """
    torch.manual_seed(job["seed"])
    options, sizes = job["options"], field_sizes(job["ids"])
    features = [SparseFeature(name, count, options.get("embedding_dim")) for name, count in sizes.items()]
    experts, towers = {"dims": options["expert_units"]}, {"dims": options["tower_units"]}
    tasks = ["classification"] * len(TASKS)
    model = MMOE(features, tasks, options["num_experts"], experts, [towers] * len(TASKS))
    trainer = MTLTrainer(model, tasks, **make_optimizer(model, job["sparse"]))
    pool = [
        (
            {name: torch.from_numpy(values) for name, values in inputs.items()},
            torch.stack([torch.from_numpy(labels[task]) for task in TASKS], dim=1),
        )
        for inputs, labels in log_batches(job["ids"], job["batch"], job["pool"], job["seed"])
    ]
    batches = itertools.cycle(pool)

    def steps(number: int) -> None:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            trainer.train_one_epoch(_Loader(batches, number))

    seconds, blocks = seconds_per_step(steps, job["seconds"], job["warm_up"])
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return {
        "seconds": seconds,
        "blocks": blocks,
        "batch": job["batch"],
        "parameters": parameters,
        "peak_mb": peak_memory_mb(),
    }


def make_optimizer(model: torch.nn.Module, sparse: bool) -> dict[str, Any]:
    """Returns the arguments of a trainer that choose its optimizer.

    Args:
        model: The model, whose embeddings become sparse if `sparse`.
        sparse: Whether only the rows of a batch are updated; otherwise the trainer has its default.
    """
    if not sparse:
        return {}  # The trainer's default: Adam with a weight decay of 1e-5 of all parameters.
    for layer in model.modules():
        if isinstance(layer, torch.nn.Embedding):
            layer.sparse = True
    return {"optimizer_fn": lambda _, lr: SparseAndDenseAdam(model, lr), "optimizer_params": {"lr": 1e-3}}


class _Loader:
    """A loader of a number of batches from an endless iterator."""

    def __init__(self, batches: Iterable[Any], number: int) -> None:
        self.batches, self.number = batches, number

    def __len__(self) -> int:
        return self.number

    def __iter__(self) -> Iterator[Any]:
        return itertools.islice(self.batches, self.number)


if __name__ == "__main__":
    protocol.answer(run)
