"""Random draws that do not depend on the number of rows per chunk, and feature values that are drawn with them."""

import dataclasses
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.batches.parsing import build_lists
from transforms.simulation.feature_options import FeatureOptions

_MANY = 5_000  # Number of tokens above which lists are drawn token by token.
_WORDS = 4  # Random numbers in one step of a Philox counter.


@dataclasses.dataclass(frozen=True)
class Draws:
    """Random numbers of the members `start .. stop - 1` of a sequence of rows or entities.

    Each name is an independent stream of random numbers, and renaming a stream changes the log. A counter-based
    generator (Philox) moves to any member without drawing the ones before, so that members drawn in chunks are equal to
    those drawn at once.

    Attributes:
        seed: Seed of the simulated world.
        scope: Name of the sequence.
        start: Index of the first member.
        stop: Index after the last member.
    """

    seed: int
    scope: str
    start: int
    stop: int

    @property
    def count(self) -> int:
        """Number of members."""
        return self.stop - self.start

    def uniform(self, name: str, width: int = 1) -> np.ndarray:
        """Draws uniform numbers.

        Args:
            name: Name of the stream.
            width: Number of draws for each member.

        Returns:
            Numbers in [0, 1), float64 `(count, width)`.
        """
        first, last = self.start * width, self.stop * width
        stream = np.random.SeedSequence([self.seed, zlib.crc32(f"{self.scope}/{name}".encode())])
        bits = np.random.Philox(key=stream.generate_state(2, np.uint64)).advance(first // _WORDS)
        skipped = first % _WORDS
        return np.random.Generator(bits).random(skipped + last - first)[skipped:].reshape(self.count, width)

    def normal(self, name: str) -> np.ndarray:
        """Draws standard normal numbers by the Box-Muller transform.

        Args:
            name: Name of the stream.

        Returns:
            Numbers, float64 `(count,)`.
        """
        radius, angle = self.uniform(name, 2).T
        normal: np.ndarray = np.sqrt(-2 * np.log1p(-radius)) * np.cos(2 * np.pi * angle)
        return normal


@dataclasses.dataclass(frozen=True)
class Tokens:
    """Values of a categorical feature, or lists of tokens.

    Attributes:
        codes: Codes of the tokens, int64 `(members, length)`; padding and missing values have the code after the last.
        weights: Weights of the tokens, with two decimals, `(members, length)`; 0 for padding and missing values.
        count: Number of tokens of each member, `(members,)`; 0 for a missing value.
    """

    codes: np.ndarray
    weights: np.ndarray
    count: np.ndarray

    def take(self, members: np.ndarray) -> "Tokens":
        """Returns the tokens of the given members.

        Args:
            members: Indices of the members.
        """
        return Tokens(self.codes[members], self.weights[members], self.count[members])

    def mix(self, table: np.ndarray) -> np.ndarray:
        """Computes the weighted mean of the tokens' rows of a table; a missing value selects the table's last row.

        Args:
            table: One row for each code, `(size + 1, width)`.

        Returns:
            Means, `(members, width)`.
        """
        if self.codes.shape[1] == 1:
            single: np.ndarray = table[self.codes[:, 0]]
            return single
        weights = np.where(self.count[:, None] > 0, self.weights, np.arange(self.codes.shape[1]) == 0)
        mixed: np.ndarray = np.einsum("nl,nlw->nw", weights / weights.sum(1, keepdims=True), table[self.codes])
        return mixed

    def column(self, tokens: tuple[str, ...], separator: str | None) -> pa.Array:
        """Formats the tokens as a column of the log.

        Args:
            tokens: Text of each code.
            separator: Separator of the tokens of a list; None for one token per row.

        Returns:
            The column; single tokens that are the numbers 0, 1, ... are integers.
        """
        if separator is None:
            codes = self.codes[:, 0]
            are_numbers = tokens == tuple(map(str, range(len(tokens))))
            if are_numbers:
                return pa.array(codes, mask=self.count == 0)
            return pa.array([*tokens, None]).take(pa.array(codes))
        return self._join(pa.array(tokens).take(pa.array(self.codes[self._is_token])), separator)

    def weights_column(self, separator: str) -> pa.Array:
        """Formats the weights as a column of the log.

        Args:
            separator: Separator of the weights of a list.
        """
        return self._join(pa.array(self.weights[self._is_token]).cast(pa.string()), separator)

    @property
    def _is_token(self) -> np.ndarray:
        """Mask of the positions that hold a token, `(members, length)`."""
        return np.arange(self.codes.shape[1]) < self.count[:, None]

    def _join(self, values: pa.Array, separator: str) -> pa.Array:
        rows = len(self.count)
        return pc.binary_join(build_lists(values, np.repeat(np.arange(rows), self.count), rows), separator)


def draw_tokens(draws: Draws, name: str, options: FeatureOptions, weighted: bool = False) -> Tokens:
    """Draws a token for each member, or a list of distinct tokens if the options have a length.

    Args:
        draws: Random numbers of the members.
        name: Name of the feature.
        options: Distribution of the feature.
        weighted: Draws weights of the tokens of a list, from 0.1 to 1; otherwise all weights are 1.

    Returns:
        The tokens.
    """
    present = draws.uniform(f"{name}/there")[:, 0] >= options.missing
    cumulative = np.cumsum(zipf_shares(options.size, options.skew))
    if options.length is None:
        codes = pick(cumulative, draws.uniform(name))
        count, weights = present.astype(np.int64), np.ones(codes.shape)
    else:
        codes = _draw_distinct(draws, name, cumulative, options.length)
        lengths = 1 + (draws.uniform(f"{name}/count")[:, 0] * options.length).astype(np.int64)
        count = np.where(present, lengths, 0)
        weights = np.ones(codes.shape)
        if weighted:
            weights = np.round(0.1 + 0.9 * draws.uniform(f"{name}/weights", options.length), 2)
    padding = np.arange(codes.shape[1]) >= count[:, None]
    return Tokens(np.where(padding, options.size, codes), np.where(padding, 0.0, weights), count)


def _draw_distinct(draws: Draws, name: str, cumulative: np.ndarray, length: int) -> np.ndarray:
    """Draws tokens without replacement.

    Of up to `_MANY` tokens, those with the largest `log(share) + Gumbel noise` are taken, which needs a random number
    for each token; of more, the first different ones of a sequence of draws with replacement.
    """
    if len(cumulative) > _MANY:
        drawn = pick(cumulative, draws.uniform(name, 3 * length))
        codes = np.concatenate([drawn, np.tile(np.arange(length), (draws.count, 1))], axis=1)
        repeated = np.stack([(codes[:, :i] == codes[:, i : i + 1]).any(1) for i in range(codes.shape[1])], axis=1)
        first = np.argsort(repeated, axis=1, kind="stable")[:, :length]
        return np.take_along_axis(codes, first, axis=1)
    shares = np.diff(cumulative, prepend=0)
    noise = -np.log(-np.log(np.clip(draws.uniform(name, len(shares)), 1e-300, None)))
    return np.argsort(-(np.log(shares) + noise), axis=1)[:, :length]


def draw_numbers(draws: Draws, name: str, options: FeatureOptions, shares: np.ndarray | None) -> np.ndarray:
    """Draws a log-normal number for each member.

    Args:
        draws: Random numbers of the members.
        name: Name of the feature.
        options: Distribution of the feature.
        shares: Share of the rows of each member, if the members are entities.

    Returns:
        Numbers, rounded to the decimals of the options, NaN where missing; float64 `(members,)`.
    """
    frequency = 1.0 if shares is None else (shares / np.median(shares)) ** options.popularity
    numbers = (options.median or 0.0) * frequency * np.exp(options.sigma * draws.normal(name))
    present = draws.uniform(f"{name}/there")[:, 0] >= options.missing
    return np.where(present, np.round(numbers, options.decimals), np.nan)


def numbers_column(numbers: np.ndarray, decimals: int) -> pa.Array:
    """Formats numbers as a column of the log.

    Args:
        numbers: Numbers, NaN where missing.
        decimals: Number of decimals; with 0, the column holds integers.

    Returns:
        The column, null where a number is missing.
    """
    missing = np.isnan(numbers)
    values = np.where(missing, 0, numbers)
    return pa.array(values.astype(np.int64) if decimals == 0 else values, mask=missing)


def zipf_shares(count: int, exponent: float) -> np.ndarray:
    """Computes shares that are proportional to `k ** -exponent` for k = 1 .. count and sum to 1.

    Args:
        count: Number of shares.
        exponent: Exponent of the distribution; 0 gives equal shares.

    Returns:
        Shares, `(count,)`.
    """
    shares: np.ndarray = np.arange(1, count + 1) ** -float(exponent)
    normalized: np.ndarray = shares / shares.sum()
    return normalized


def pick(cumulative: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Draws codes from a distribution by inverting its cumulative shares.

    Args:
        cumulative: Cumulative share of each code, `(codes,)`.
        uniform: Uniform numbers in [0, 1), of any shape.

    Returns:
        Codes, of the shape of `uniform`.
    """
    return np.minimum(np.searchsorted(cumulative, uniform, side="right"), len(cumulative) - 1)
