"""Small logs of different shapes, each with the arguments of `tfmtl init` and what it should decide."""

import csv
import dataclasses
import gzip
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.transforms.readers.raw_files import write_tfrecord

ROWS = 600


def draw(rows=ROWS, seed=0):
    """Rows with a user, an item, a price, tags and a time; clicks depend on user and price, purchases on clicks."""
    rng = np.random.default_rng(seed)
    user, item = rng.integers(40, size=rows), rng.integers(25, size=rows)
    price = np.round(rng.lognormal(3, 1, rows), 2)
    clicked = (rng.random(rows) < 0.2 + 0.4 * (user % 2) + 0.2 * (price < 20)).astype(int)
    bought = clicked * (rng.random(rows) < 0.4)
    seconds = 1_780_000_000 + np.sort(rng.integers(20 * 86_400, size=rows))
    tags = ["|".join(f"t{tag}" for tag in rng.choice(9, rng.integers(1, 5), replace=False)) for _ in range(rows)]
    return {
        "user_id": [f"u{one}" for one in user],
        "item_id": item.tolist(),
        "price": price.tolist(),
        "tags": tags,
        "time": [str(np.datetime64(int(one), "s")) for one in seconds],
        "clicked": clicked.tolist(),
        "bought": bought.tolist(),
    }


def text(columns, delimiter=",", header=True, quote=csv.QUOTE_MINIMAL, pad=""):
    rows = zip(*columns.values(), strict=True)
    lines = [delimiter.join(columns)] if header else []
    for row in rows:
        cells = ["" if value is None else str(value) for value in row]
        cells = [f'"{cell}"' if quote == csv.QUOTE_ALL or delimiter in cell else cell for cell in cells]
        lines.append((delimiter + pad).join(cells))
    return "\n".join(lines) + "\n"


def renamed(columns, **names):
    return {names.get(name, name): values for name, values in columns.items()}


@dataclasses.dataclass(frozen=True)
class LogFile:
    """A log, the arguments of `tfmtl init`, and the decisions that are expected.

    Attributes:
        write: Function that writes the log into a folder and returns its path.
        tasks: Values of `--task`.
        options: Other arguments of the command line.
        expected: Expected plain values of the settings by dotted path; `features.NAME` is the kind of a feature, None
            if the column is not used.
    """

    write: Callable[[pathlib.Path], pathlib.Path]
    tasks: tuple[str, ...] = ("clicked", "bought")
    options: tuple[str, ...] = ()
    expected: dict[str, Any] = dataclasses.field(default_factory=dict)


def written(name, content):
    def write(folder):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def parquet(folder):
    columns = draw()
    columns["tags"] = [one.split("|") for one in columns["tags"]]
    columns["time"] = pa.array(np.array(columns["time"], "datetime64[us]"))
    pq.write_table(pa.table(columns), folder / "log.parquet")
    return folder / "log.parquet"


def tfrecord(folder):
    columns = draw()
    columns["tags"] = [one.split("|") for one in columns["tags"]]
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    write_tfrecord(rows, folder / "log.tfrecord")
    return folder / "log.tfrecord"


def days(folder):
    for day in range(1, 7):
        written(f"log/day=2026-11-0{day}/part-0.csv", text({k: v for k, v in draw(120, day).items() if k != "time"}))(
            folder
        )
    return folder / "log" / "day=*" / "*.csv"


def parts(folder):
    for part in range(3):
        written(f"log/part-{part}.csv", text(draw(200, part)))(folder)
    written("log/README.txt", "Notes about this log.\n")(folder)
    return folder / "log"


PLAIN = draw()
KINDS = {
    "features.user_id": "categorical",
    "features.item_id": "categorical",
    "features.price": "numerical",
    "features.tags": "multi_valued",
    "features.time": None,
}
CHAIN = {
    **KINDS,
    "tasks.bought.follows": "clicked",
    "split.kind": "time",
    "split.column": "time",
    "group_key": "user_id",
}
WITHOUT_TIME = {name: values for name, values in PLAIN.items() if name != "time"}
RATINGS = {**WITHOUT_TIME, "rating": (1 + np.array(PLAIN["clicked"]) * 2 + np.array(PLAIN["bought"]) * 2).tolist()}
del RATINGS["clicked"], RATINGS["bought"]
LEAKY = {
    **PLAIN,
    "dwell": [7 * click for click in PLAIN["clicked"]],
    "row": list(range(ROWS)),
    "country": ["DE"] * ROWS,
}
NULLS = {**PLAIN, "tags": ["NULL" if i % 3 == 0 else f"t{i % 5}" for i in range(ROWS)]}
COMMAS = [f"{price:.2f}".replace(".", ",") for price in PLAIN["price"]]
AMBIGUOUS = [f"{1 + i % 12}/{1 + i % 28}/2026" for i in range(ROWS)]

LOGS = {
    "csv": LogFile(written("log.csv", text(PLAIN)), expected=CHAIN),
    "tsv": LogFile(written("log.tsv", text(PLAIN, "\t")), expected=CHAIN),
    "txt with tabs": LogFile(written("log.txt", text(PLAIN, "\t")), expected=CHAIN),
    "semicolons": LogFile(written("log.csv", text(PLAIN, ";")), expected={**CHAIN, "data.delimiter": ";"}),
    "quoted": LogFile(written("log.csv", text(PLAIN, quote=csv.QUOTE_ALL)), expected=CHAIN),
    "gzip": LogFile(written("log.csv.gz", gzip.compress(text(PLAIN).encode())), expected=CHAIN),
    "latin-1": LogFile(
        written("log.csv", text({**PLAIN, "tags": ["Zürich", "Köln"] * (ROWS // 2)}).encode("latin-1")),
        expected={"data.encoding": "cp1252", "features.tags": "categorical"},
    ),
    "byte order mark": LogFile(written("log.csv", b"\xef\xbb\xbf" + text(PLAIN).encode()), expected=CHAIN),
    "parquet": LogFile(parquet, expected=CHAIN),
    "tfrecord": LogFile(tfrecord, expected=CHAIN),
    "folders by day": LogFile(days, expected={"split.column": "day", "features.day": None}),
    "parts and a README": LogFile(parts, expected={"features.user_id": "categorical"}),
    "no header": LogFile(
        written("people.csv", text(PLAIN, header=False, pad=" ")),
        options=("--header", ",".join(PLAIN)),
        expected={**CHAIN, "data.strip": True, "data.header": list(PLAIN)},
    ),
    "no header, no names": LogFile(
        written("people.csv", text(PLAIN, header=False)),
        tasks=("click:column_6", "buy:column_7"),
        expected={"tasks.buy.follows": "click", "features.column_3": "numerical"},
    ),
    "conditions on a rating": LogFile(
        written("ratings.csv", text(RATINGS)),
        tasks=("liked:rating>=3", "loved:rating>=5"),
        expected={"tasks.loved.follows": "liked", "data.columns": {"liked": "rating", "loved": "rating"}},
    ),
    "text labels": LogFile(
        written("log.csv", text({**PLAIN, "clicked": ["yes" if one else "no" for one in PLAIN["clicked"]]})),
        tasks=("clicked=yes", "bought"),
        expected={"tasks.clicked.positive": ["yes"], "tasks.bought.follows": "clicked"},
    ),
    "tasks in the wrong order": LogFile(
        written("log.csv", text(PLAIN)), tasks=("bought", "clicked"), expected={"tasks.bought.follows": "clicked"}
    ),
    "names that a spec refuses": LogFile(
        written("log.csv", text(renamed(PLAIN, user_id="class", item_id="item id", price="Price (EUR)", tags="größe"))),
        expected={
            "features.class_": "categorical",
            "features.item_id": "categorical",
            "features.Price_EUR": "numerical",
        },
    ),
    "leaks, ids of rows, constants": LogFile(
        written("log.csv", text(LEAKY)),
        expected={**CHAIN, "features.dwell": None, "features.row": None, "features.country": None},
    ),
    "texts of missing values": LogFile(
        written("log.csv", text(NULLS)), expected={"data.null": ["NULL"], "features.tags": "categorical"}
    ),
    "decimal commas and ambiguous dates": LogFile(
        written("log.csv", text({**PLAIN, "price": COMMAS, "time": AMBIGUOUS}, ";")),
        expected={
            "features.user_id": "categorical",
            "features.price": None,
            "features.time": None,
            "split.column": None,
        },
    ),
    "a count": LogFile(
        written("log.csv", text({**PLAIN, "visits": [i % 4 for i in range(ROWS)]})),
        tasks=("visits",),
        expected={"tasks.visits.kind": "count"},
    ),
    "no time": LogFile(written("log.csv", text(WITHOUT_TIME)), expected={"split.column": None}),
}
"""Logs by name."""
