"""Number of different tokens of a column, estimated in bounded memory."""

import base64
import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_INDEX_BITS = 10
_REGISTERS = 1 << _INDEX_BITS
_HASH_BITS = 62
_RANK_BITS = _HASH_BITS - _INDEX_BITS
_SCALE = 0.7213 / (1 + 1.079 / _REGISTERS)


@dataclasses.dataclass(frozen=True)
class DistinctTokens:
    """HyperLogLog sketch of the tokens of a column, with a standard error of 3 %.

    Sketches of parts of a column merge to that of the whole column, however it is divided.

    Attributes:
        registers: For each value of the first bits of a hash, the largest number of leading zeros of its other bits,
            plus 1; 0 without a token.

    Example:
        >>> import pyarrow as pa
        >>> one, other = (DistinctTokens.of(pa.array(part, pa.binary())) for part in ([b"a", b"b"], [b"b", b"c"]))
        >>> round(one.merge(other).estimate())
        3

    References:
        - [Flajolet et al., 2007, HyperLogLog: the analysis of a near-optimal cardinality estimation algorithm](
          https://algo.inria.fr/flajolet/Publications/FlFuGaMe07.pdf)
    """

    registers: bytes = bytes(_REGISTERS)

    @classmethod
    def of(cls, tokens: pa.Array) -> "DistinctTokens":
        """Returns the sketch of an array of tokens.

        Args:
            tokens: Tokens, binary, without nulls; empty ones are not counted.
        """
        import tensorflow as tf  # Commands that only read a report start without TensorFlow.

        unique = pc.unique(tokens.filter(pc.not_equal(tokens, b"")))
        hashes = tf.strings.to_hash_bucket_fast(unique.to_numpy(zero_copy_only=False), 1 << _HASH_BITS).numpy()
        registers = np.zeros(_REGISTERS, np.uint8)
        length = np.frexp((hashes >> _INDEX_BITS).astype(np.float64))[1]
        np.maximum.at(registers, hashes & (_REGISTERS - 1), (_RANK_BITS + 1 - length).astype(np.uint8))
        return cls(registers.tobytes())

    def merge(self, other: "DistinctTokens") -> "DistinctTokens":
        """Returns the sketch of the tokens of both."""
        return DistinctTokens(np.maximum(self._array(), other._array()).tobytes())

    def estimate(self) -> float:
        """Returns the estimated number of different tokens."""
        registers = self._array()
        empty = int((registers == 0).sum())
        found = _SCALE * _REGISTERS**2 / float(np.exp2(-registers.astype(np.float64)).sum())
        if found <= 2.5 * _REGISTERS and empty:
            return float(_REGISTERS * np.log(_REGISTERS / empty))
        return found

    def to_text(self) -> str:
        """Returns the sketch as text that `from_text` reads."""
        return base64.b64encode(self.registers).decode()

    @classmethod
    def from_text(cls, text: str) -> "DistinctTokens":
        """Returns the sketch of a text that `to_text` wrote."""
        return cls(base64.b64decode(text))

    def _array(self) -> np.ndarray:
        return np.frombuffer(self.registers, np.uint8)
