"""Statistics of small logs of a shop, computed by TFDV without a pipeline."""

import numpy as np
import pyarrow as pa
from tensorflow_data_validation.statistics import stats_impl

from pipelines.data_checks.check import LogSummary
from tfmtl.spec import DatasetSpec
from transforms.batches.report import SourceReport

SPEC = DatasetSpec.from_yaml("""
name: shop
features:
  - {name: user, kind: categorical}
  - {name: scenario, kind: categorical}
  - {name: city, kind: categorical}
  - {name: price, kind: numerical}
  - {name: age, kind: categorical}
  - {name: tags, kind: multi_valued, weights: tag_weights}
tasks:
  - {name: click, label: clicked, output: ctr}
  - {name: visits, label: visits, kind: count}
scenario: scenario
""")
ROWS = 2500


def columns(rows=ROWS, seed=0):
    """Draws the columns of a log: arrays, and lists for `tags`."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 4, rows)
    return {
        "user": np.char.add("u", (rng.zipf(1.3, rows) % 3000).astype(str)).astype(object),
        "scenario": rng.choice(["search", "feed", "banner"], rows, p=[0.6, 0.3, 0.1]).astype(object),
        "city": np.char.add("c", rng.integers(0, 30, rows).astype(str)).astype(object),
        "price": rng.lognormal(3, 1.1, rows),
        "age": np.where(rng.random(rows) < 0.13, None, rng.integers(18, 60, rows).astype(str).astype(object)),
        "tags": [rng.choice(list("abcdefgh"), n).tolist() for n in lengths],
        "tag_weights": [rng.random(n).tolist() for n in lengths],
        "clicked": (rng.random(rows) < 0.15).astype(np.int64),
        "visits": rng.poisson(2, rows),
    }


def statistics_of(values):
    """Computes TFDV's statistics of columns; an item that is None is a missing value."""
    lists = {name: [_as_list(value) for value in column] for name, column in values.items()}
    kinds = {name: _kind(column) for name, column in lists.items()}
    arrays = [pa.array(_encoded(column), pa.list_(kinds[name])) for name, column in lists.items()]
    return stats_impl.generate_statistics_in_memory(pa.RecordBatch.from_arrays(arrays, list(lists)))


def summary(values, rejected=0):
    """Returns the summary of a log of these columns, and of further rows that were rejected."""
    rows = len(values["clicked"])
    report = SourceReport(rows + rejected, {"train": rows}, {"invalid_label": rejected} if rejected else {})
    return LogSummary(statistics_of(values), report)


def _as_list(value):
    if value is None or (isinstance(value, list) and not value):
        return None
    return value if isinstance(value, list) else [value]


def _kind(column):
    value = next((one[0] for one in column if one), "")
    if isinstance(value, str):
        return pa.binary()
    return pa.int64() if isinstance(value, int | np.integer) else pa.float32()


def _encoded(column):
    return [one and [v.encode() if isinstance(v, str) else v for v in one] for one in column]
