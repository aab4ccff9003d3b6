"""The preparation of Ali-CCP once more, in plain Python: a line at a time, with dicts."""

import collections
import dataclasses
import math
import pathlib
import re

USER = ["101", "121", "122", "124", "125", "126", "127", "128", "129"]
AITM = [*USER, "205", "206", "207", "216", "508", "509", "702", "853", "301"]
BAGS = ["109_14", "110_14", "127_14", "150_14", "210"]
WITH_VALUES = [*BAGS, "508", "509", "702", "853"]
FIELDS = [*AITM, *BAGS]
SPLITS = ("train", "eval", "test")


@dataclasses.dataclass
class Plain:
    """What a preparation gives.

    Attributes:
        rows: by split, in the order of the files: features and labels by column.
        rejects: (file, line, reason).
    """

    rows: dict[str, list[dict]]
    rejects: list[tuple[str, int, str]]

    def vocabulary(self, column, least):
        """Tokens of at least `least` training rows, the most frequent first, of equals the last by its bytes."""
        counts = collections.Counter(token for row in self.rows["train"] for token in row.get(column, []))
        kept = [(count, token.encode()) for token, count in counts.items() if count >= least]
        return [token.decode() for _, token in sorted(kept, reverse=True)]


class Bad(Exception):
    """The line is rejected."""


def prepare(folder: pathlib.Path, name: str, share=0.1, seed=0, max_values=None) -> Plain:
    """The rows that `tfmtl ingest ali-ccp --prepare name` should write (`all` without it)."""
    rows: dict[str, list[dict]] = {split: [] for split in SPLITS}
    rejects: list[tuple[str, int, str]] = []
    for side in ("train", "test"):
        common: dict[str, dict] = {}
        path = folder / f"common_features_{side}.csv"
        for number, line in lines(path):
            try:
                (index,), features = cut(line, 1)
                check_index(index, "invalid_id")
                if index.lower() in common:
                    raise Bad("duplicate_id")
                common[index.lower()] = {}  # The index has been there, whatever else is wrong.
                common[index.lower()] = keep(features, name, max_values)
            except Bad as bad:
                rejects.append((path.name, number, str(bad)))
                if str(bad) == "invalid_weights":
                    common[index.lower()] = None
        path = folder / f"sample_skeleton_{side}.csv"
        seen: set[int] = set()
        for number, line in lines(path):
            try:
                split, row = one_row(line, side, common, seen, name, share, seed, max_values)
                rows[split].append(row)
            except Bad as bad:
                rejects.append((path.name, number, str(bad)))
    return Plain(rows, sorted(rejects))


def one_row(line, side, common, seen, name, share, seed, max_values):
    (sample, click, conversion, index), features = cut(line, 4)
    if not re.fullmatch("[0-9]{1,18}", sample):
        raise Bad("invalid_id")
    if int(sample) in seen:
        raise Bad("duplicate_id")
    seen.add(int(sample))
    if not click or not conversion:
        raise Bad("missing_label")
    if click not in ("0", "1") or conversion not in ("0", "1"):
        raise Bad("invalid_label")
    if conversion > click:
        raise Bad("broken_chain")
    check_index(index, "missing_common_row")
    other = common.get(index.lower())
    if other is None:
        raise Bad("missing_common_row")
    own = keep(features, name, max_values)
    row = {column: values for field, values in {**own, **other}.items() for column, values in columns(field, values)}
    split = "test" if side == "test" else "eval" if hashed(int(sample), seed) < share * 2**64 else "train"
    return split, {**row, "click": [int(click)], "conversion": [int(conversion)]}


def lines(path):
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if line:
            yield number, line


def cut(line, count):
    try:
        cells = line.decode().split(",")
    except UnicodeDecodeError:
        raise Bad("invalid_encoding") from None
    if len(cells) != count + 2:
        raise Bad("wrong_column_count")
    texts = cells[-1].split("\x01") if cells[-1] else []
    if not re.fullmatch("[0-9]+", cells[-2]) or int(cells[-2]) != len(texts):
        raise Bad("wrong_column_count")
    features = []
    for text in texts:
        parts = re.split("[\x02\x03]", text)
        if len(parts) != 3 or not all(parts) or text != f"{parts[0]}\x02{parts[1]}\x03{parts[2]}":
            raise Bad("incomplete_feature")
        features.append(parts)
    return cells[:count], features


def check_index(index, reason):
    if not re.fullmatch("[0-9a-fA-F]{16}", index):
        raise Bad(reason)


def keep(features, name, max_values):
    """Of each field that is kept, a list of (id, value)."""
    kept: dict[str, list] = {}
    for field, token, value in features:
        if field not in (AITM if name == "aitm" else FIELDS):
            continue
        number = 1.0
        if name != "aitm" and field in WITH_VALUES:
            try:
                number = float(value)
            except ValueError:
                number = math.nan
        several = name == "all" or (name == "adaftr" and field in BAGS)
        kept[field] = [*kept.get(field, []), (token, number)] if several else [(token, number)]
    if not all(math.isfinite(number) for values in kept.values() for _, number in values):
        raise Bad("invalid_weights")
    if max_values is not None:
        kept = {field: heaviest(values, max_values) for field, values in kept.items()}
    if name == "aitm":
        return {field: [(token, None) for token, _ in values] for field, values in kept.items()}
    return kept


def heaviest(values, count):
    places = sorted(range(len(values)), key=lambda i: (-values[i][1], i))[:count]
    return [values[i] for i in sorted(places)]


def columns(field, values):
    yield f"f{field}", [token for token, _ in values]
    if field in WITH_VALUES and values[0][1] is not None:
        yield f"f{field}_value", [number for _, number in values]


def hashed(sample, seed):
    return mixed(mixed(seed) ^ sample)


def mixed(number):
    """splitmix64's finalizer."""
    whole = 2**64 - 1
    number = (number + 0x9E3779B97F4A7C15) & whole
    number = ((number ^ number >> 30) * 0xBF58476D1CE4E5B9) & whole
    number = ((number ^ number >> 27) * 0x94D049BB133111EB) & whole
    return number ^ number >> 31
