"""Random draws that do not depend on how many rows are drawn at a time, and the values of features made of them."""

import dataclasses
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.batches.parsing import build_lists
from transforms.simulation.options import FeatureOptions

_WORDS = 4  # Random numbers in one step of a Philox counter.


@dataclasses.dataclass(frozen=True)
class Draws:
    """The numbers of members `start .. stop - 1` (rows, or entities): each name is a sequence of its own.

    A counter-based generator (Philox) jumps to any member, so that rows drawn in chunks are those drawn at once.

    Attributes:
        seed: of the world.
        scope: what the members are.
        start: the first member.
        stop: the one after the last.
    """

    seed: int
    scope: str
    start: int
    stop: int

    @property
    def count(self) -> int:
        """How many members there are."""
        return self.stop - self.start

    def uniform(self, name: str, width: int = 1) -> np.ndarray:
        """Uniform in [0, 1), float64, shape `(count, width)`."""
        first, last = self.start * width, self.stop * width
        stream = np.random.SeedSequence([self.seed, zlib.crc32(f"{self.scope}/{name}".encode())])
        bits = np.random.Philox(key=stream.generate_state(2, np.uint64)).advance(first // _WORDS)
        skipped = first % _WORDS
        return np.random.Generator(bits).random(skipped + last - first)[skipped:].reshape(self.count, width)

    def normal(self, name: str) -> np.ndarray:
        """Standard normal (Box and Muller), float64, shape `(count,)`."""
        radius, angle = self.uniform(name, 2).T
        return np.sqrt(-2 * np.log1p(-radius)) * np.cos(2 * np.pi * angle)


@dataclasses.dataclass(frozen=True)
class Tokens:
    """Values of a categorical feature or a list.

    Attributes:
        codes: of the tokens; what is no token has the code after the last; int64 `(members, length)`.
        weights: 0 where there is no token; `(members, length)`, with two decimals.
        count: how many tokens a member has; 0 where the value is missing; `(members,)`.
    """

    codes: np.ndarray
    weights: np.ndarray
    count: np.ndarray

    def take(self, members: np.ndarray) -> "Tokens":
        """Those of the given members."""
        return Tokens(self.codes[members], self.weights[members], self.count[members])

    def mix(self, table: np.ndarray) -> np.ndarray:
        """The mean of the tokens' rows of `table`, by weight, its last row where there is none; `(members, width)`."""
        if self.codes.shape[1] == 1:
            return table[self.codes[:, 0]]
        weights = np.where(self.count[:, None] > 0, self.weights, np.arange(self.codes.shape[1]) == 0)
        return np.einsum("nl,nlw->nw", weights / weights.sum(1, keepdims=True), table[self.codes])

    def column(self, tokens: tuple[str, ...], separator: str | None) -> pa.Array:
        """As they are written: joined by `separator`, or one a row where it is None."""
        if separator is None:
            codes = self.codes[:, 0]
            whole = tokens == tuple(map(str, range(len(tokens))))
            return pa.array(codes, mask=self.count == 0) if whole else pa.array([*tokens, None]).take(pa.array(codes))
        return self._join(pa.array(tokens).take(pa.array(self.codes[self._there])), separator)

    def weights_column(self, separator: str) -> pa.Array:
        """The weights as they are written, joined by `separator`."""
        return self._join(pa.array(self.weights[self._there]).cast(pa.string()), separator)

    @property
    def _there(self) -> np.ndarray:
        return np.arange(self.codes.shape[1]) < self.count[:, None]

    def _join(self, values: pa.Array, separator: str) -> pa.Array:
        rows = len(self.count)
        return pc.binary_join(build_lists(values, np.repeat(np.arange(rows), self.count), rows), separator)


def draw_tokens(draws: Draws, name: str, options: FeatureOptions, weighted: bool = False) -> Tokens:
    """A token for each member, or a list of different ones if the options have a length."""
    there = draws.uniform(f"{name}/there")[:, 0] >= options.missing
    cumulated = np.cumsum(zipf_shares(options.size, options.skew))
    if options.length is None:
        codes = pick(cumulated, draws.uniform(name))
        count, weights = there.astype(np.int64), np.ones(codes.shape)
    else:
        codes = _distinct(draws, name, cumulated, options.length)
        drawn = 1 + (draws.uniform(f"{name}/count")[:, 0] * options.length).astype(np.int64)
        count = np.where(there, drawn, 0)
        weights = np.ones(codes.shape)
        if weighted:
            weights = np.round(0.1 + 0.9 * draws.uniform(f"{name}/weights", options.length), 2)
    empty = np.arange(codes.shape[1]) >= count[:, None]
    return Tokens(np.where(empty, options.size, codes), np.where(empty, 0.0, weights), count)


def _distinct(draws: Draws, name: str, cumulated: np.ndarray, length: int) -> np.ndarray:
    """Different tokens, as if drawn without putting back: the largest of `log(share) + Gumbel noise`."""
    shares = np.diff(cumulated, prepend=0)
    noise = -np.log(-np.log(np.clip(draws.uniform(name, len(shares)), 1e-300, None)))
    return np.argsort(-(np.log(shares) + noise), axis=1)[:, :length]


def draw_numbers(draws: Draws, name: str, options: FeatureOptions, shares: np.ndarray | None) -> np.ndarray:
    """A number for each member, rounded as it is written, NaN where it is missing; float64 `(members,)`.

    Args:
        draws: of the members.
        name: of the feature.
        options: of the feature.
        shares: of the rows that each member has, if the members are entities.
    """
    frequency = 1.0 if shares is None else (shares / np.median(shares)) ** options.popularity
    numbers = (options.median or 0.0) * frequency * np.exp(options.sigma * draws.normal(name))
    there = draws.uniform(f"{name}/there")[:, 0] >= options.missing
    return np.where(there, np.round(numbers, options.decimals), np.nan)


def numbers_column(numbers: np.ndarray, decimals: int) -> pa.Array:
    """Numbers as they are written, null where they are NaN."""
    missing = np.isnan(numbers)
    values = np.where(missing, 0, numbers)
    return pa.array(values.astype(np.int64) if decimals == 0 else values, mask=missing)


def zipf_shares(count: int, exponent: float) -> np.ndarray:
    """Shares proportional to `k ** -exponent` for k = 1 .. count."""
    shares = np.arange(1, count + 1) ** -float(exponent)
    return shares / shares.sum()


def pick(cumulated: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """The code whose share of [0, 1) holds each of the numbers."""
    return np.minimum(np.searchsorted(cumulated, uniform, side="right"), len(cumulated) - 1)
