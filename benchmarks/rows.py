"""The rows of the table of `benchmarks/train.py`: what each one runs, and what it is compared with."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

SECTIONS = ("limit", "mmoe", "models", "strategies")
TITLES = {
    "limit": "the limit: tf.matmul",
    "mmoe": "MMoE, 23 fields, dimension 18, 8 experts [256, 128], 2 towers [128, 64, 32]",
    "models": "models at their papers' sizes; time of an example, in that of Shared-Bottom",
    "strategies": "strategies; time of a step, in that of the step above it",
}
IDS = {"50 k": 50_000, "500 k": 500_000, "5 M": 5_000_000}
BASE_IDS = 500_000
_TOWER = [128, 64, 32]
MMOE: dict[str, Any] = {"embedding_dim": 18, "num_experts": 8, "expert_units": [256, 128], "tower_units": _TOWER}
_QUICK_IDS = 2_000
"""Whatever the row: rows that differ by their ids alone are one job then, which is measured once."""
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
        name: of the row; others refer to it.
        section: where it stands.
        label: what it is called there.
        job: what its process runs: plain data, with a `kind`; two rows with equal jobs are measured once.
        reference: the row whose time this one's is divided by.
        per: `example` or `step`: which times are divided.
        same_model: the reference runs the same products, so that its FLOPs are this row's too.
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
        """Rows of one group share a process, one after the other; all others have one of their own."""
        return "limit" if self.section == "limit" else self.name


@dataclasses.dataclass(frozen=True)
class Sizes:
    """What is measured, at which sizes.

    Attributes:
        device: `cpu` or `gpu`.
        quick: sizes of a test, which show that every row runs and nothing else.
        rivals: whether rows of torch-rechub are wanted; on a GPU there are none.
    """

    device: str = "cpu"
    quick: bool = False
    rivals: bool = True

    @property
    def batch(self) -> int:
        if self.quick:
            return 32
        return 8192 if self.device == "gpu" else 2048

    def batch_of(self, papers: int) -> int:
        """Rows of a batch of a model whose paper says how many; those of `batch` on a GPU."""
        return self.batch if self.quick or self.device == "gpu" else papers

    def ids(self, count: int) -> int:
        return _QUICK_IDS if self.quick else count

    def options(self, model: str, options: Mapping[str, Any]) -> dict[str, Any]:
        return {**options, **(_QUICK_OPTIONS[model] if self.quick else {})}


def all_rows(sizes: Sizes) -> list[Row]:
    """The rows of all sections, in the order of the table."""
    return [*_limit(sizes), *_mmoe(sizes), *_models(sizes), *_strategies(sizes)]


def chosen_rows(rows: Iterable[Row], sections: Iterable[str]) -> list[Row]:
    """The rows of those sections, and those that these are compared with."""
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
    return [
        Row(f"limit/{dtype}/{i}", "limit", f"{dtype}: {label}", {"kind": "limit", "dtype": dtype, "product": product})
        for dtype in ("float32", "bfloat16")
        for i, (label, product) in enumerate(products.items())
    ]


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

        def add(name, text, job, count=count, label=label, reference=reference):
            of_row = None if name == "float32" else reference
            rows.append(Row(f"mmoe/{count}/{name}", "mmoe", f"{label} ids: {text}", job, of_row, same_model=True))

        ids = sizes.ids(count)
        add("float32", "tfmtl, float32", _model_job(sizes, "mmoe", MMOE, ids=ids))
        add("bfloat16", "tfmtl, mixed_bfloat16", _model_job(sizes, "mmoe", MMOE, ids=ids, policy="mixed_bfloat16"))
        keras_adam = {"optimizer": "keras", "embedding": "keras"}
        add("keras", "Keras 3 Embedding and Adam", _model_job(sizes, "mmoe", MMOE, ids=ids, **keras_adam))
        if sizes.rivals and sizes.device == "cpu":
            model = {"options": sizes.options("mmoe", MMOE), "ids": ids, "batch": sizes.batch}
            add("rechub", "torch-rechub as shipped", {"kind": "rechub", **model, "sparse": False})
            add("rechub_sparse", "torch-rechub with SparseAdam", {"kind": "rechub", **model, "sparse": True})
    return rows


def _models(sizes: Sizes) -> list[Row]:
    shared_bottom = {"embedding_dim": 18, "bottom_units": [256, 128], "tower_units": _TOWER}
    # Batches are the papers': what AdaFTR costs grows with them, and M2M's dense parameters are paid by the step.
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
        # A batch of twice the rows: one episode whose support set and query set are each of the plain step's size.
        strategy = {"episodes": 1, "first_order": first_order}
        job = {**plain, "batch": 2 * sizes.batch, "strategy": strategy}
        label = f"MMoE, MAML of {name}, one support and one query batch"
        rows.append(Row(f"strategies/maml_{name.split()[0]}", "strategies", label, job, "strategies/plain", "step"))
    for preset in ("ali_ccp", "ecomm_ads"):
        batch = sizes.batch_of(1024)
        backbone = _model_job(sizes, "mmoe", {"preset": f"adaftr/{preset}"}, batch=batch)
        contrast = _model_job(sizes, "adaftr", {"preset": preset}, batch=batch)
        label = f"MMoE of AdaFTR's sizes for {preset}"
        rows.append(Row(f"strategies/backbone_{preset}", "strategies", f"{label}, plain step", backbone, per="step"))
        of_row = f"strategies/backbone_{preset}"
        rows.append(Row(f"strategies/adaftr_{preset}", "strategies", f"{label}, AdaFTR", contrast, of_row, "step"))
    return rows
