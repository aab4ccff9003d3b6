"""Rows of the table of `benchmarks.train`: the job of each row, and the row with which it is compared."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX"}
"""Names of the Keras backends that are measured."""
SECTIONS = {
    "tensorflow": ("limit", "layers", "mmoe", "models", "strategies"),
    "jax": ("limit", "layers"),
}
"""Sections of the table by backend; models, training strategies and row-sparse optimizers need TensorFlow."""
DEFAULT_SECTIONS = {
    "tensorflow": ("limit", "mmoe", "models", "strategies"),
    "jax": ("limit", "layers"),
}
"""Sections that are measured by default, by backend."""
TITLES = {
    "limit": "the limit: plain matrix products",
    "layers": "layers with the sizes of their papers, 500 k ids, Keras's Adam; time of an example, relative to float32",
    "mmoe": "MMoE, 23 fields, dimension 18, 8 experts [256, 128], 2 towers [128, 64, 32]",
    "models": "models with the sizes of their papers; time of an example, relative to Shared-Bottom",
    "strategies": "strategies; time of a step, relative to the plain step",
}
IDS = {"50 k": 50_000, "500 k": 500_000, "5 M": 5_000_000}
BASE_IDS = 500_000
_TOWER = [128, 64, 32]
MMOE: dict[str, Any] = {"embedding_dim": 18, "num_experts": 8, "expert_units": [256, 128], "tower_units": _TOWER}
APEM: dict[str, Any] = {
    "embedding_dim": 18,
    "num_layers": 4,
    "num_points": 64,
    "num_heads": 2,
    "selector_units": [64],
    "tower_units": [64, 32],
}
"""Sizes of APEM's layers: those of the paper (table 2), and the package's defaults for those that it does not give."""
_QUICK_IDS = 2_000
"""Number of ids of every row in a quick run; rows that differ only by it have the same job, which is measured once."""
_QUICK_OPTIONS: dict[str, dict[str, Any]] = {
    "adaftr": {"backbone_options": {"num_experts": 2, "expert_units": [8], "tower_units": [8, 4]}},
    "aitm": {"bottom_units": [8]},
    "apem": {"num_points": 4, "num_layers": 1, "tower_units": [8]},
    "autoheri": {"network_units": [8, 4]},
    "escm2_dr": {"tower_units": [8]},
    "escm2_ips": {"tower_units": [8]},
    "esmm": {"tower_units": [8]},
    "cgc": {"num_shared": 1, "num_per_task": 1, "expert_units": [8], "tower_units": [8]},
    "cross_stitch": {"network_units": [8], "tower_units": [8]},
    "m2m": {"view_units": [8], "anchor_units": 8, "knowledge_units": [4], "meta_layers": 1, "num_residuals": 1},
    "man": {"num_shared": 1, "num_per_task": 1, "expert_units": [8], "tower_units": [8]},
    "mmoe": {"num_experts": 2, "expert_units": [8], "tower_units": [8]},
    "mran": {"tower_units": [8]},
    "omoe": {"num_experts": 2, "expert_units": [8], "tower_units": [8]},
    "ple": {"num_shared": 1, "num_per_task": 1, "expert_units": [8], "tower_units": [8]},
    "shared_bottom": {"bottom_units": [8], "tower_units": [8]},
    "single_task": {"tower_units": [8]},
}


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        name: Unique name of the row.
        section: Section of the table.
        label: Label of the row in its section.
        job: Plain data of the job that the row's process runs, with a `kind`; rows with equal jobs are measured once.
        reference: Name of the row with whose time the time of this row is compared.
        per: Unit of the compared times, `example` or `step`.
        same_model: True if the reference computes the same products, whose operations then count for this row too.
    """

    name: str
    section: str
    label: str
    job: Mapping[str, Any]
    reference: str | None = None
    per: str = "example"
    same_model: bool = False

    @property
    def group(self) -> str:
        """Name of the rows that share a process: all rows of the limit, or this row alone."""
        return "limit" if self.section == "limit" else self.name


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Sizes of what is measured.

    Attributes:
        device: `cpu` or `gpu`.
        quick: True for tiny sizes, with which a run shows only that every row works.
        rivals: True for rows of torch-rechub, which exist on CPU only.
        backend: Keras backend, a key of `BACKENDS`.
    """

    device: str = "cpu"
    quick: bool = False
    rivals: bool = True
    backend: str = "tensorflow"

    @property
    def batch(self) -> int:
        """Number of rows of a batch of a model whose paper gives none."""
        if self.quick:
            return 32
        return 8192 if self.device == "gpu" else 2048

    def batch_of(self, papers: int) -> int:
        """Returns the number of rows of a batch of a model whose paper gives it; on a GPU it is that of all models.

        Args:
            papers: Number of rows that the paper gives.
        """
        return self.batch if self.quick or self.device == "gpu" else papers

    def ids(self, count: int) -> int:
        """Returns the number of ids of a row.

        Args:
            count: Number of ids unless the run is a quick one.
        """
        return _QUICK_IDS if self.quick else count

    def options(self, model: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the options of a model, with tiny sizes in a quick run.

        Args:
            model: Name of the model.
            options: Options unless the run is a quick one.
        """
        return {**options, **(_QUICK_OPTIONS[model] if self.quick else {})}


def all_rows(sizes: Sizes) -> list[Row]:
    """Returns the rows of all sections of the backend, in the order of the table.

    Args:
        sizes: Sizes of what is measured.
    """
    makers = {"limit": _limit, "layers": _layers, "mmoe": _mmoe, "models": _models, "strategies": _strategies}
    return [row for section in SECTIONS[sizes.backend] for row in makers[section](sizes)]


def chosen_rows(rows: Iterable[Row], sections: Iterable[str]) -> list[Row]:
    """Returns the rows of some sections, and the rows with which they are compared.

    Args:
        rows: All rows.
        sections: Names of the sections.
    """
    rows, sections = list(rows), set(sections)
    by_name = {row.name: row for row in rows}
    names = {row.name for row in rows if row.section in sections}
    names |= {reference for name in names if (reference := by_name[name].reference)}
    return [row for row in rows if row.name in names]


def _limit(sizes: Sizes) -> list[Row]:
    square = 256 if sizes.quick else 8192 if sizes.device == "gpu" else 4096
    inputs, (wide, narrow) = 23 * MMOE["embedding_dim"], MMOE["expert_units"]
    experts = MMOE["num_experts"]
    products = {
        f"{square} x {square} x {square}": (1, square, square, square),
        f"{sizes.batch} x {inputs} x {experts * wide}, experts' first layer": (1, sizes.batch, inputs, experts * wide),
        f"{experts} of {sizes.batch} x {wide} x {narrow}, their second": (experts, sizes.batch, wide, narrow),
    }
    job = {"kind": "limit", "backend": sizes.backend}
    return [
        Row(f"limit/{dtype}/{i}", "limit", f"{dtype}: {label}", {**job, "dtype": dtype, "product": product})
        for dtype in ("float32", "bfloat16")
        for i, (label, product) in enumerate(products.items())
    ]


def _layers(sizes: Sizes) -> list[Row]:
    stacks = {
        "mmoe": ("MMoE's layers", MMOE, sizes.batch),
        "apem": ("APEM's layers", APEM, sizes.batch_of(1024)),
    }
    rows = []
    for name, (label, options, batch) in stacks.items():
        job = {
            "kind": "layers",
            "backend": sizes.backend,
            "stack": name,
            "options": sizes.options(name, options),
            "ids": sizes.ids(BASE_IDS),
            "batch": batch,
        }
        float32 = f"layers/{name}/float32"
        rows.append(Row(float32, "layers", f"{label}, float32", {**job, "policy": "float32"}))
        bfloat16 = {**job, "policy": "mixed_bfloat16"}
        rows.append(Row(f"layers/{name}/bfloat16", "layers", f"{label}, mixed_bfloat16", bfloat16, float32))
    return rows


def _model_job(sizes: Sizes, model: str, options: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    job = {
        "kind": "model",
        "model": model,
        "options": sizes.options(model, options),
        "spec": "log",
        "ids": sizes.ids(BASE_IDS),
        "batch": sizes.batch,
        "policy": "float32",
        "optimizer": "row_sparse",
        "embedding": "fused",
        "strategy": None,
    }
    return {**job, **changes}


def _mmoe(sizes: Sizes) -> list[Row]:
    rows = []
    for label, count in IDS.items():
        reference = f"mmoe/{count}/float32"
        ids = sizes.ids(count)
        keras_adam = {"optimizer": "keras", "embedding": "keras"}
        jobs = {
            "float32": ("tfmtl, float32", _model_job(sizes, "mmoe", MMOE, ids=ids)),
            "bfloat16": ("tfmtl, mixed_bfloat16", _model_job(sizes, "mmoe", MMOE, ids=ids, policy="mixed_bfloat16")),
            "keras": ("Keras 3 Embedding and Adam", _model_job(sizes, "mmoe", MMOE, ids=ids, **keras_adam)),
        }
        if sizes.rivals and sizes.device == "cpu":
            model = {"kind": "rechub", "options": sizes.options("mmoe", MMOE), "ids": ids, "batch": sizes.batch}
            jobs["rechub"] = ("torch-rechub as shipped", {**model, "sparse": False})
            jobs["rechub_sparse"] = ("torch-rechub with SparseAdam", {**model, "sparse": True})
        for name, (text, job) in jobs.items():
            compared = None if name == "float32" else reference
            rows.append(Row(f"mmoe/{count}/{name}", "mmoe", f"{label} ids: {text}", job, compared, same_model=True))
    return rows


def _models(sizes: Sizes) -> list[Row]:
    shared_bottom = {"embedding_dim": 18, "bottom_units": [256, 128], "tower_units": _TOWER}
    # Batch sizes are those of the papers: the cost of AdaFTR's contrast grows with them, and the update of M2M's dense
    # parameters is a cost per step.
    jobs = {
        "shared_bottom": ("Shared-Bottom", _model_job(sizes, "shared_bottom", shared_bottom)),
        "single_task": ("Single-Task", _model_job(sizes, "single_task", {"preset": "apem_ali_ccp"})),
        "cross_stitch": ("Cross-Stitch", _model_job(sizes, "cross_stitch", {"preset": "adaftr_ecomm_ads"})),
        "omoe": ("OMoE", _model_job(sizes, "omoe", {"preset": "man_ali_ccp"})),
        "mmoe": ("MMoE", _model_job(sizes, "mmoe", MMOE)),
        "cgc": ("CGC", _model_job(sizes, "cgc", {"embedding_dim": 18, "tower_units": _TOWER})),
        "ple": ("PLE, two levels", _model_job(sizes, "ple", {"preset": "man_ali_ccp"})),
        "esmm": ("ESMM", _model_job(sizes, "esmm", {"preset": "ali_ccp"})),
        "escm2_ips": ("ESCM2-IPS", _model_job(sizes, "escm2_ips", {"preset": "ali_ccp"})),
        "escm2_dr": ("ESCM2-DR", _model_job(sizes, "escm2_dr", {"preset": "ali_ccp"})),
        "aitm": ("AITM", _model_job(sizes, "aitm", {"preset": "ali_ccp"})),
        "autoheri": ("AutoHERI", _model_job(sizes, "autoheri", {"preset": "adaftr_ecomm_ads"})),
        "mran": ("MRAN", _model_job(sizes, "mran", {"preset": "m2m_taobao"})),
        "man": ("MAN", _model_job(sizes, "man", {"preset": "ali_ccp"})),
        "apem": ("APEM", _model_job(sizes, "apem", {"preset": "ali_ccp"}, batch=sizes.batch_of(1024))),
        "adaftr": ("AdaFTR over MMoE", _model_job(sizes, "adaftr", {"preset": "ali_ccp"}, batch=sizes.batch_of(1024))),
        "m2m": ("M2M", _model_job(sizes, "m2m", {"preset": "taobao"}, spec="panels", batch=sizes.batch_of(256))),
    }
    reference = "models/shared_bottom"
    return [
        Row(f"models/{name}", "models", label, job, None if name == "shared_bottom" else reference)
        for name, (label, job) in jobs.items()
    ]


def _strategies(sizes: Sizes) -> list[Row]:
    plain = _model_job(sizes, "mmoe", MMOE)
    rows = [Row("strategies/plain", "strategies", "MMoE, plain step", plain, per="step")]
    for name, first_order in (("second order", False), ("first order", True)):
        # A batch of twice the size: the support set and the query set of one episode each have the size of a batch.
        strategy = {"episodes": 1, "first_order": first_order}
        job = {**plain, "batch": 2 * sizes.batch, "strategy": strategy}
        label = f"MMoE, MAML of {name}, one support and one query batch"
        rows.append(Row(f"strategies/maml_{name.split()[0]}", "strategies", label, job, "strategies/plain", "step"))
    for preset in ("ali_ccp", "ecomm_ads"):
        batch = sizes.batch_of(1024)
        backbone = _model_job(sizes, "mmoe", {"preset": f"adaftr/{preset}"}, batch=batch)
        contrast = _model_job(sizes, "adaftr", {"preset": preset}, batch=batch)
        label, reference = f"MMoE with AdaFTR's sizes for {preset}", f"strategies/backbone_{preset}"
        rows.append(Row(reference, "strategies", f"{label}, plain step", backbone, per="step"))
        rows.append(Row(f"strategies/adaftr_{preset}", "strategies", f"{label}, AdaFTR", contrast, reference, "step"))
    return rows
