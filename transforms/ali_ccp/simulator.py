"""Simulator of raw files of Ali-CCP with known true probabilities."""

import dataclasses
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.ali_ccp.fields import CONTEXT, CROSSES, ITEM, USER, column
from transforms.ali_ccp.ingest import COMMON, SIDES, SKELETON
from transforms.ali_ccp.simulator_options import ITEM_ENTITY, POSITIONS, USER_ENTITY, AliCcpOptions
from transforms.ali_ccp.skeleton import splitmix64
from transforms.batches.csv_writer import CsvFile
from transforms.simulation.draws import Tokens
from transforms.simulation.effects import Values
from transforms.simulation.options import check_options
from transforms.simulation.simulator import draw_labels
from transforms.simulation.world import Rows, World, output_probabilities

PROBABILITIES = "probabilities"
_CHUNK_ROWS = 65_536
_DECIMALS = 9
_IDS_A_FIELD = 1_000_000


@dataclasses.dataclass(frozen=True)
class RawSimulation:
    """Files that `simulate_ali_ccp` wrote.

    Attributes:
        folder: Folder with `sample_skeleton_{train,test}.csv`, `common_features_{train,test}.csv` and, in addition to
            the raw format, `probabilities_{train,test}.csv`: the true probability of each output by sample_id.
        rows: Number of rows of the train and the test skeleton.
        totals: Sum of each label.
    """

    folder: pathlib.Path
    rows: dict[str, int]
    totals: dict[str, int]


def simulate_ali_ccp(options: AliCcpOptions, directory: str | pathlib.Path) -> RawSimulation:
    """Writes simulated raw files; the same options give the same bytes.

    Consecutive rows belong to one user, as in the real files. An id is a number that begins with its field. A cross is
    present if the item's category, shop, brand or intention node is in the user's history, and has the history's value.

    Args:
        options: Sizes of the files and of the simulated world.
        directory: Folder that is written to; it is created if it does not exist.

    Returns:
        The folder, and the numbers of rows and events.
    """
    world_options = options.world
    check_options(options.spec, world_options)
    writer = _Writer(World(options.spec, world_options), options, pathlib.Path(directory))
    writer.folder.mkdir(parents=True, exist_ok=True)
    stops = {"train": options.rows, "test": options.rows + options.test_rows}
    totals = dict.fromkeys(options.spec.labels, 0)
    start = 0
    for side in SIDES:
        for label, total in writer.write_side(side, start, stops[side]).items():
            totals[label] += total
        start = stops[side]
    return RawSimulation(writer.folder, {"train": options.rows, "test": options.test_rows}, totals)


class _Writer:
    """Writer of the raw files of one simulation.

    Args:
        world: World that users, items and labels are drawn from.
        options: Sizes of the files and of the world.
        folder: Folder that is written to.
    """

    def __init__(self, world: World, options: AliCcpOptions, folder: pathlib.Path):
        self.folder = folder
        self._spec = options.spec
        self._world = world
        self._users, self._items = (_tokens(world.values[entity]) for entity in (USER_ENTITY, ITEM_ENTITY))
        key = splitmix64(np.array([options.seed], np.uint64)) ^ np.arange(options.users, dtype=np.uint64)
        self._index = pa.array([f"{number:016x}" for number in splitmix64(key).tolist()])
        self._positions = pa.array([_feature(CONTEXT[0], code, 1.0) for code in range(len(POSITIONS))])
        self._item_features, self._item_counts = _format_features(ITEM[0], self._items, options.items)

    def write_side(self, side: str, start: int, stop: int) -> dict[str, int]:
        """Writes the files of a side, train or test.

        Args:
            side: "train" or "test".
            start: First row of the world.
            stop: Row of the world after the last one.

        Returns:
            The sum of each label.
        """
        totals = dict.fromkeys(self._spec.labels, 0)
        used = np.zeros(len(self._index), bool)
        first = start
        with (
            (self.folder / f"{SKELETON}_{side}.csv").open("w", encoding="utf-8", newline="") as skeleton,
            CsvFile(self.folder / f"{PROBABILITIES}_{side}.csv") as probabilities,
        ):
            for begin in range(start, stop, _CHUNK_ROWS):
                rows = self._world.rows(begin, min(begin + _CHUNK_ROWS, stop))
                labels = draw_labels(self._spec, rows, self._world.options)
                order = np.argsort(rows.members[USER_ENTITY], kind="stable")
                ids = pa.array(np.arange(len(order)) + begin - first + 1)
                skeleton.writelines(f"{line}\n" for line in self._format_lines(rows, labels, ids, order))
                probabilities.write(self._probabilities(rows, ids, order))
                used[rows.members[USER_ENTITY]] = True
                for task in self._spec.tasks:
                    totals[task.label] += int(labels[task.name].sum())
        with (self.folder / f"{COMMON}_{side}.csv").open("w", encoding="utf-8", newline="") as common:
            features, counts = _format_features(USER[0], self._users, len(used))
            for user in np.flatnonzero(used).tolist():
                common.write(f"{self._index[user]},{counts[user]},{features[user]}\n")
        return totals

    def _format_lines(
        self, rows: Rows, labels: dict[str, np.ndarray], ids: pa.Array, order: np.ndarray
    ) -> Iterator[str]:
        """Yields the lines of the skeleton, sorted by user."""
        user, item = rows.members[USER_ENTITY], rows.members[ITEM_ENTITY]
        position = _tokens(rows.values)[column(CONTEXT[0])]
        features = [self._item_features.take(pa.array(item))]
        for cross, (history, field) in CROSSES.items():
            features += _format_crosses(cross, self._users[column(history)], user, self._items[column(field)], item)
        features.append(self._positions.take(pa.array(position.codes[:, 0])))
        single_features = (feature.is_valid().to_numpy(zero_copy_only=False) for feature in features[1:])
        counts = self._item_counts[item] + sum(single_features)
        joined = pc.binary_join_element_wise(*features, "\1", null_handling="skip").take(pa.array(order))
        label_columns = [pa.array(labels[task.name][order]) for task in self._spec.tasks]
        index = self._index.take(pa.array(user[order]))
        columns = [ids, *label_columns, index, pa.array(counts[order]), joined]
        yield from pc.binary_join_element_wise(*[values.cast(pa.string()) for values in columns], ",").to_pylist()

    def _probabilities(self, rows: Rows, ids: pa.Array, order: np.ndarray) -> pa.Table:
        truth = output_probabilities(self._spec, rows.probabilities)
        outputs = {name: pa.array(np.round(values, _DECIMALS)[order]) for name, values in truth.items()}
        return pa.table({"sample_id": ids, **outputs})


def _tokens(values: Mapping[str, Values]) -> dict[str, Tokens]:
    """Returns the values that are tokens; all are, because no field is numerical."""
    return {name: value for name, value in values.items() if isinstance(value, Tokens)}


def _format_features(key: str, values: Mapping[str, Tokens], members: int) -> tuple[pa.Array, np.ndarray]:
    """Formats the features of users or items.

    Args:
        key: Field of the id of the user or item.
        values: Tokens of the other fields, by column.
        members: Number of users or items.

    Returns:
        The features of each user or item as they are written, and their number.
    """
    features = [[_feature(key, member, 1.0)] for member in range(members)]
    for name, tokens in values.items():
        field = name.removeprefix(column(""))
        for member, codes, weights, count in zip(features, tokens.codes, tokens.weights, tokens.count, strict=True):
            pairs = zip(codes[:count].tolist(), weights[:count].tolist(), strict=True)
            member += [_feature(field, code, weight) for code, weight in pairs]
    return pa.array(map("\1".join, features)), np.array(list(map(len, features)))


def _format_crosses(
    cross: str, history: Tokens, user: np.ndarray, item_values: Tokens, item: np.ndarray
) -> list[pa.Array]:
    """Formats the features of a cross.

    Args:
        cross: Field of the cross.
        history: Histories of all users.
        user: Index of each row's user, int64, shape `(rows,)`.
        item_values: Values of all items.
        item: Index of each row's item, int64, shape `(rows,)`.

    Returns:
        One column for each value that an item may have, null where the user's history does not hold the value.
    """
    columns = []
    for i in range(item_values.codes.shape[1]):
        code = np.where(i < item_values.count[item], item_values.codes[item, i], -1)
        is_equal = history.codes[user] == code[:, None]
        ids = pa.array(_id(cross, code)).cast(pa.string())
        values = pa.array(history.weights[user, is_equal.argmax(1)]).cast(pa.string())
        feature = pc.binary_join_element_wise(f"{cross}\2", ids, "\3", values, "")
        columns.append(pc.if_else(pa.array(is_equal.any(1)), feature, None))
    return columns


def _feature(field: str, code: int, value: float) -> str:
    return f"{field}\2{_id(field, code)}\3{value}"


def _id(field: str, code: Any) -> Any:
    """Returns the id of a value, a number that begins with the field; of an array of codes, the array of ids."""
    return int(field[:3]) * _IDS_A_FIELD + code
