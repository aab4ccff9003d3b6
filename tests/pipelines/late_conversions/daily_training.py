"""A simulated warehouse that is joined and trained on day by day, in this process."""

import dataclasses

import keras
import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

from pipelines.label_columns import training_labels
from tfmtl import DatasetSpec, config
from tfmtl.models import MODELS
from tfmtl.optimizers import RowSparseAdam
from transforms.batches.raw_batch import SPLITS
from transforms.ingest.split import BUCKETS, hash_buckets
from transforms.join.join_partition import join_partition
from transforms.join.options import AttributionOptions, EventLog, JoinOptions
from transforms.simulation.event_writer import TRUTH, simulate_events
from transforms.simulation.options import SimulatorOptions

DAY = 86_400_000_000
DAYS, FIRST = 14, "2026-11-01"
RATE = 4e-3
KEYS = ("user_id", "item_id", "scenario", "age", "category")
FEATURES = [{"name": name, "kind": "categorical"} for name in KEYS]
SIMULATOR = {
    "seed": 3,
    "entities": {
        "user": {"key": "user_id", "count": 300, "zipf": 0.7, "id_effect": 0.6},
        "item": {"key": "item_id", "count": 200, "zipf": 0.9},
    },
    "features": {
        "scenario": {"values": ["search", "feed", "banner"], "skew": 1.2},
        "age": {"entity": "user", "cardinality": 7, "missing": 0.13},
        "category": {"entity": "item", "cardinality": 20, "skew": 0.6},
    },
    "tasks": {"click": {"rate": 0.3, "strength": 1.0}, "conversion": {"rate": 0.3, "strength": 1.0}},
    "events": {"begin": FIRST, "days": DAYS, "delays": {"click": 0.1, "conversion": 30}},
}
JOIN = JoinOptions(
    key=("impression_id",),
    impressions=EventLog(pattern="*", time="time"),
    clicks=EventLog(pattern="*", time="time"),
    conversions=EventLog(pattern="*", time="time"),
    attribution=AttributionOptions(click="1h", conversion="7d"),
    copies=("conversion",),
)
LOGS = {"impressions": "impressions", "clicks": "click", "conversions": "conversion"}
"""Names in the truth by that of the log."""
OPEN = {
    "wait": {},
    "importance": {"maturity": "importance"},
    "delay": {"maturity": "delay", "elapsed": "conversion_elapsed"},
}


def spec_of(maturity):
    """Spec of a treatment of open conversions; `known` and `naive` are those without any."""
    conversion = {"name": "conversion", "label": "conversion", "follows": "click", "output": "ctcvr"}
    if maturity in OPEN:
        conversion["open"] = {"column": "conversion_pending", "copy": "conversion_copy", **OPEN[maturity]}
    click = {"name": "click", "label": "click", "output": "ctr"}
    split = {"kind": "random", "eval": 0.1, "test": 0.3, "key": ["impression_id"]}
    return DatasetSpec.from_dict({"name": "late", "features": FEATURES, "tasks": [click, conversion], "split": split})


@dataclasses.dataclass(frozen=True)
class Warehouse:
    """Events of a simulated log, and what the simulator knows.

    Attributes:
        events: Impressions, clicks and conversions as `join_partition` takes them.
        truth: Truth of the impressions, by their number.
        begin: First moment of the log in microseconds.
    """

    events: dict
    truth: pa.Table
    begin: int

    @property
    def converted(self):
        """Mask of the impressions that are converted in the end, within the windows, by number."""
        shown, click, conversion = (self.truth.column(name).to_numpy().astype(float) for name in LOGS.values())
        windows = JOIN.attribution.windows
        return ((click - shown) * 1000 <= windows["click"]) & ((conversion - click) * 1000 <= windows["conversion"])

    def rows(self, days, end):
        """Rows of the spans of some days, as joined at the end of the day number `end`."""
        moment = self.begin + (end + 1) * DAY - 1
        rows, _ = join_partition(self.events, JOIN, moment)
        first, last = self.begin + days.start * DAY, self.begin + days.stop * DAY
        times = rows.column(".time").to_numpy()
        return rows.filter(pa.array((times >= first) & (times < last)))


def simulate(folder, rows):
    """Draws a warehouse without faults."""
    options = config.build(SimulatorOptions, config.Document({**SIMULATOR, "rows": rows}))
    spec = spec_of("wait")
    simulate_events(spec, options, folder)
    truth = pq.read_table(folder / TRUTH)
    numbers = np.arange(truth.num_rows)
    events = {}
    for log, name in LOGS.items():
        times = truth.column(name).to_numpy().astype(float)
        kept = np.flatnonzero(~np.isnan(times))
        columns = {".key0": pa.array(numbers[kept].astype(str)), ".time": pa.array(times[kept].astype(np.int64) * 1000)}
        events[log] = pa.table(columns | ({"number": pa.array(numbers)} if log == "impressions" else {}))
    begin = int(np.datetime64(FIRST, "us").astype(np.int64))
    return Warehouse(events, truth, begin)


def feature_ids(folder, count):
    """Ids of the features of all impressions by their number, and the sizes of the vocabularies."""
    table = pa.concat_tables([csv.read_csv(path) for path in sorted((folder / "impressions").glob("*.csv"))])
    numbers = np.array([int(one[1:]) for one in table.column("impression_id").to_pylist()])
    ids, sizes = {}, {}
    for name in KEYS:
        encoded = table.column(name).cast(pa.string()).combine_chunks().dictionary_encode()
        values = np.zeros(count, np.int64)
        values[numbers] = np.nan_to_num(encoded.indices.to_numpy(zero_copy_only=False), nan=-1).astype(np.int64) + 1
        ids[name], sizes[name] = values, len(encoded.dictionary)
    return ids, sizes


def split_of(numbers):
    """Name of the split of each impression by its number."""
    buckets = hash_buckets(pa.array(numbers.astype(str)).cast(pa.binary()))
    return np.array(SPLITS)[np.where(buckets < 0.1 * BUCKETS, 1, np.where(buckets < 0.4 * BUCKETS, 2, 0))]


def train(maturity, warehouse, ids, sizes, spans, joined):
    """Trains a model on the rows of each day in turn; the step size falls on the last three days.

    Args:
        maturity: Treatment of open rows, `naive` (open rows are negative) or `known` (all labels are known).
        warehouse: The simulated log.
        ids: Ids of the features by number of the impression.
        sizes: Sizes of the vocabularies.
        spans: `newest` to train on each day once, or `growing` to train on all days so far, as known at its end; then
            the training begins four days before the end.
        joined: Rows by days and end, which are added to it.

    Returns:
        The model.
    """
    keras.utils.set_random_seed(0)
    spec = spec_of(maturity)
    model = MODELS["esmm"].from_spec(spec, sizes, embedding_dim=8, tower_units=(32,))
    model.compile(RowSparseAdam(RATE))
    for day in range(0 if spans == "newest" else DAYS - 4, DAYS):
        key = (range(day if spans == "newest" else 0, day + 1), day)
        if key not in joined:
            joined[key] = warehouse.rows(*key)
        rows = joined[key]
        kept = split_of(rows.column("number").to_numpy()) == "train"
        if not spec.maturity_columns:
            kept &= rows.column("conversion_copy").to_numpy() == 0
        rows = rows.filter(pa.array(kept))
        numbers = rows.column("number").to_numpy()
        parsed = {column: rows.column(column).to_numpy() for column in (*spec.labels, *spec.maturity_columns)}
        if maturity == "known":
            parsed["conversion"] = (warehouse.converted[numbers] & (parsed["click"] == 1)).astype(np.int8)
        labels = {name: np.asarray(values) for name, values in training_labels(spec, parsed).items()}
        model.optimizer.learning_rate.assign(RATE * 0.3 ** max(0, day - DAYS + 4))
        model.fit({name: values[numbers] for name, values in ids.items()}, labels, batch_size=1000, verbose=0)
    return model
