"""Reference implementation of the ingestion of Ali-CCP in plain Python, line by line."""

import collections
import dataclasses
import math
import pathlib
import re

USER = ["101", "121", "122", "124", "125", "126", "127", "128", "129"]
AITM = [*USER, "205", "206", "207", "216", "508", "509", "702", "853", "301"]
LISTS = ["109_14", "110_14", "127_14", "150_14", "210"]
WEIGHTED = [*LISTS, "508", "509", "702", "853"]
FIELDS = [*AITM, *LISTS]
SPLITS = ("train", "eval", "test")


@dataclasses.dataclass
class Plain:
    """Expected output of a preparation.

    Attributes:
        rows: Features and labels of each row by column, by split, in the order of the files.
        rejects: File, line and reason of each reject.
    """

    rows: dict[str, list[dict]]
    rejects: list[tuple[str, int, str]]

    def vocabulary(self, column, least):
        """Returns the train split's tokens with at least `least` rows, sorted by count, then by bytes, descending."""
        counts = collections.Counter(token for row in self.rows["train"] for token in row.get(column, []))
        kept = [(count, token.encode()) for token, count in counts.items() if count >= least]
        return [token.decode() for _, token in sorted(kept, reverse=True)]


class RejectedError(Exception):
    """Error of a rejected line, with its reason."""


def prepare(folder: pathlib.Path, name: str, share=0.1, seed=0, max_values=None) -> Plain:
    """Returns the expected output of `tfmtl ingest ali-ccp --prepare name`."""
    rows: dict[str, list[dict]] = {split: [] for split in SPLITS}
    rejects: list[tuple[str, int, str]] = []
    for side in ("train", "test"):
        common: dict[str, dict] = {}
        path = folder / f"common_features_{side}.csv"
        for number, line in read_lines(path):
            try:
                (index,), features = parse_line(line, 1)
                check_index(index, "invalid_id")
                if index.lower() in common:
                    raise RejectedError("duplicate_id")
                common[index.lower()] = {}  # A rejected row counts as an earlier row with the index.
                common[index.lower()] = select(features, name, max_values)
            except RejectedError as error:
                rejects.append((path.name, number, str(error)))
                if str(error) == "invalid_weights":
                    common[index.lower()] = None
        path = folder / f"sample_skeleton_{side}.csv"
        seen: set[int] = set()
        for number, line in read_lines(path):
            try:
                split, row = parse_row(line, side, common, seen, name, share, seed, max_values)
                rows[split].append(row)
            except RejectedError as error:
                rejects.append((path.name, number, str(error)))
    return Plain(rows, sorted(rejects))


def parse_row(line, side, common, seen, name, share, seed, max_values):
    (sample, click, conversion, index), features = parse_line(line, 4)
    if not re.fullmatch("[0-9]{1,18}", sample):
        raise RejectedError("invalid_id")
    if int(sample) in seen:
        raise RejectedError("duplicate_id")
    seen.add(int(sample))
    if not click or not conversion:
        raise RejectedError("missing_label")
    if click not in ("0", "1") or conversion not in ("0", "1"):
        raise RejectedError("invalid_label")
    if conversion > click:
        raise RejectedError("broken_chain")
    check_index(index, "missing_common_row")
    common_features = common.get(index.lower())
    if common_features is None:
        raise RejectedError("missing_common_row")
    own = select(features, name, max_values)
    row = {
        column: values
        for field, values in {**own, **common_features}.items()
        for column, values in columns(field, values)
    }
    split = "test" if side == "test" else "eval" if hashed(int(sample), seed) < share * 2**64 else "train"
    return split, {**row, "click": [int(click)], "conversion": [int(conversion)]}


def read_lines(path):
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if line:
            yield number, line


def parse_line(line, count):
    try:
        values = line.decode().split(",")
    except UnicodeDecodeError:
        raise RejectedError("invalid_encoding") from None
    if len(values) != count + 2:
        raise RejectedError("wrong_column_count")
    joined = values[-1].split("\x01") if values[-1] else []
    if not re.fullmatch("[0-9]+", values[-2]) or int(values[-2]) != len(joined):
        raise RejectedError("wrong_column_count")
    features = []
    for feature in joined:
        parts = re.split("[\x02\x03]", feature)
        if len(parts) != 3 or not all(parts) or feature != f"{parts[0]}\x02{parts[1]}\x03{parts[2]}":
            raise RejectedError("incomplete_feature")
        features.append(parts)
    return values[:count], features


def check_index(index, reason):
    if not re.fullmatch("[0-9a-fA-F]{16}", index):
        raise RejectedError(reason)


def select(features, name, max_values):
    """Returns a list of (id, value) for each selected field."""
    selected: dict[str, list] = {}
    for field, token, value in features:
        if field not in (AITM if name == "aitm" else FIELDS):
            continue
        number = 1.0
        if name != "aitm" and field in WEIGHTED:
            try:
                number = float(value)
            except ValueError:
                number = math.nan
        is_list = name == "all" or (name == "adaftr" and field in LISTS)
        selected[field] = [*selected.get(field, []), (token, number)] if is_list else [(token, number)]
    if not all(math.isfinite(number) for values in selected.values() for _, number in values):
        raise RejectedError("invalid_weights")
    if max_values is not None:
        selected = {field: heaviest(values, max_values) for field, values in selected.items()}
    if name == "aitm":
        return {field: [(token, None) for token, _ in values] for field, values in selected.items()}
    return selected


def heaviest(values, count):
    positions = sorted(range(len(values)), key=lambda i: (-values[i][1], i))[:count]
    return [values[i] for i in sorted(positions)]


def columns(field, values):
    yield f"f{field}", [token for token, _ in values]
    if field in WEIGHTED and values[0][1] is not None:
        yield f"f{field}_value", [number for _, number in values]


def hashed(sample, seed):
    return mixed(mixed(seed) ^ sample)


def mixed(number):
    """Applies the finalizer of splitmix64."""
    mask = 2**64 - 1
    number = (number + 0x9E3779B97F4A7C15) & mask
    number = ((number ^ number >> 30) * 0xBF58476D1CE4E5B9) & mask
    number = ((number ^ number >> 27) * 0x94D049BB133111EB) & mask
    return number ^ number >> 31
