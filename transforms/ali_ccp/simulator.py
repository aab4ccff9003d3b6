"""Writes files in the raw format of Ali-CCP, drawn from a world whose true probabilities are known."""

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
from transforms.simulation.world import Rows, World, entire

PROBABILITIES = "probabilities"
_CHUNK_ROWS = 65_536
_DECIMALS = 9
_IDS_A_FIELD = 1_000_000


@dataclasses.dataclass(frozen=True)
class RawSimulation:
    """What `simulate_ali_ccp` wrote.

    Attributes:
        folder: with `sample_skeleton_{train,test}.csv`, `common_features_{train,test}.csv`, and, apart from the raw
            format, `probabilities_{train,test}.csv`: by sample_id the true probability of each output.
        rows: of the skeletons, by side.
        totals: the sum of each label.
    """

    folder: pathlib.Path
    rows: dict[str, int]
    totals: dict[str, int]


def simulate_ali_ccp(options: AliCcpOptions, directory: str | pathlib.Path) -> RawSimulation:
    """Writes the raw files; the same options give the same bytes.

    Some rows on end are of one user, as in the real files. An id is a number that tells its field. A cross is there
    where the item's category, shop, brand or intention node is in the user's history, with the history's value.

    Args:
        options: how many rows, of what world.
        directory: made if it is not there.
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
    def __init__(self, world: World, options: AliCcpOptions, folder: pathlib.Path):
        self.folder = folder
        self._spec = options.spec
        self._world = world
        self._users, self._items = (_tokens(world.values[entity]) for entity in (USER_ENTITY, ITEM_ENTITY))
        key = splitmix64(np.array([options.seed], np.uint64)) ^ np.arange(options.users, dtype=np.uint64)
        self._index = pa.array([f"{number:016x}" for number in splitmix64(key).tolist()])
        self._positions = pa.array([_feature(CONTEXT[0], code, 1.0) for code in range(len(POSITIONS))])
        self._item_texts, self._item_counts = _described(ITEM[0], self._items, options.items)

    def write_side(self, side: str, start: int, stop: int) -> dict[str, int]:
        """Writes the files of train or test, rows `start .. stop - 1` of the world; returns the sums of the labels."""
        totals = dict.fromkeys(self._spec.labels, 0)
        used = np.zeros(len(self._index), bool)
        first = start
        with (
            (self.folder / f"{SKELETON}_{side}.csv").open("w", encoding="utf-8", newline="") as skeleton,
            CsvFile(self.folder / f"{PROBABILITIES}_{side}.csv") as probabilities,
        ):
            for begin in range(start, stop, _CHUNK_ROWS):
                rows = self._world.rows(begin, min(begin + _CHUNK_ROWS, stop))
                labels = draw_labels(self._spec, rows)
                order = np.argsort(rows.members[USER_ENTITY], kind="stable")
                ids = pa.array(np.arange(len(order)) + begin - first + 1)
                skeleton.writelines(f"{line}\n" for line in self._lines(rows, labels, ids, order))
                probabilities.write(self._truth(rows, ids, order))
                used[rows.members[USER_ENTITY]] = True
                for task in self._spec.tasks:
                    totals[task.label] += int(labels[task.name].sum())
        with (self.folder / f"{COMMON}_{side}.csv").open("w", encoding="utf-8", newline="") as common:
            texts, counts = _described(USER[0], self._users, len(used))
            for user in np.flatnonzero(used).tolist():
                common.write(f"{self._index[user]},{counts[user]},{texts[user]}\n")
        return totals

    def _lines(self, rows: Rows, labels: dict[str, np.ndarray], ids: pa.Array, order: np.ndarray) -> Iterator[str]:
        user, item = rows.members[USER_ENTITY], rows.members[ITEM_ENTITY]
        position = _tokens(rows.values)[column(CONTEXT[0])]
        pieces = [self._item_texts.take(pa.array(item))]
        for cross, (history, field) in CROSSES.items():
            pieces += _crossed(cross, self._users[column(history)], user, self._items[column(field)], item)
        pieces.append(self._positions.take(pa.array(position.codes[:, 0])))
        counts = self._item_counts[item] + sum(piece.is_valid().to_numpy(zero_copy_only=False) for piece in pieces[1:])
        features = pc.binary_join_element_wise(*pieces, "\1", null_handling="skip").take(pa.array(order))
        cells = [pa.array(labels[task.name][order]) for task in self._spec.tasks]
        index = self._index.take(pa.array(user[order]))
        cells = [ids, *cells, index, pa.array(counts[order]), features]
        yield from pc.binary_join_element_wise(*[cell.cast(pa.string()) for cell in cells], ",").to_pylist()

    def _truth(self, rows: Rows, ids: pa.Array, order: np.ndarray) -> pa.Table:
        chances = {"entire": entire(self._spec, rows.chances), "conditional": rows.chances}
        outputs = {o.name: np.round(chances[o.space][o.task], _DECIMALS)[order] for o in self._spec.outputs}
        return pa.table({"sample_id": ids, **{name: pa.array(values) for name, values in outputs.items()}})


def _tokens(values: Mapping[str, Values]) -> dict[str, Tokens]:
    """All of the values, for no field is a number."""
    return {name: value for name, value in values.items() if isinstance(value, Tokens)}


def _described(key: str, values: Mapping[str, Tokens], members: int) -> tuple[pa.Array, np.ndarray]:
    """The features of users or items, joined as they are written, and how many there are of each."""
    features = [[_feature(key, member, 1.0)] for member in range(members)]
    for name, tokens in values.items():
        field = name.removeprefix(column(""))
        for own, codes, weights, count in zip(features, tokens.codes, tokens.weights, tokens.count, strict=True):
            own += [_feature(field, *one) for one in zip(codes[:count].tolist(), weights[:count].tolist(), strict=True)]
    return pa.array(map("\1".join, features)), np.array(list(map(len, features)))


def _crossed(cross: str, history: Tokens, user: np.ndarray, other: Tokens, item: np.ndarray) -> list[pa.Array]:
    """A column for each value that an item may have, null where the user's history does not hold it."""
    columns = []
    for place in range(other.codes.shape[1]):
        code = np.where(place < other.count[item], other.codes[item, place], -1)
        same = history.codes[user] == code[:, None]
        texts = [pa.array(_id(cross, code)), pa.array(history.weights[user, same.argmax(1)])]
        ids, values = (text.cast(pa.string()) for text in texts)
        feature = pc.binary_join_element_wise(f"{cross}\2", ids, "\3", values, "")
        columns.append(pc.if_else(pa.array(same.any(1)), feature, None))
    return columns


def _feature(field: str, code: int, value: float) -> str:
    return f"{field}\2{_id(field, code)}\3{value}"


def _id(field: str, code: Any) -> Any:
    """The id of a value: a number that tells its field."""
    return int(field[:3]) * _IDS_A_FIELD + code
