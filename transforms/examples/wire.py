"""Protocol buffer encoding of the parts of a tf.Example.

A tf.Example has one field, `Features`, which is a map from names to lists. Each entry of a map is a message of a key
and a value.

References:
    https://protobuf.dev/programming-guides/encoding/
"""

BYTES_LIST, FLOAT_LIST, INT64_LIST = 1, 2, 3
"""Field numbers of the kinds of list in `tf.train.Feature`."""


def head(name: str, kind: int, size: int) -> bytes:
    """Encodes the bytes that precede the body of a feature's list.

    Args:
        name: Name of the feature.
        kind: One of `BYTES_LIST`, `FLOAT_LIST` and `INT64_LIST`.
        size: Number of bytes of the body.
    """
    feature = field_key(kind) + varint(size)
    key = field_key(1) + varint(len(name.encode())) + name.encode()
    value = field_key(2) + varint(len(feature) + size) + feature
    return field_key(1) + varint(len(key) + len(value) + size) + key + value


def packed_head(name: str, kind: int, size: int) -> bytes:
    """Encodes the bytes that precede the packed numbers of a feature's list.

    Args:
        name: Name of the feature.
        kind: `FLOAT_LIST` or `INT64_LIST`.
        size: Number of bytes of the packed numbers.
    """
    packed = field_key(1) + varint(size)
    return head(name, kind, len(packed) + size) + packed


def field_key(number: int) -> bytes:
    """Encodes the key of a field of variable length.

    Args:
        number: Number of the field, below 16.
    """
    return bytes([number << 3 | 2])


def varint(number: int) -> bytes:
    """Encodes an integer >= 0 with seven bits per byte, the lowest first.

    Args:
        number: Integer to encode.
    """
    groups = [number & 127]
    while number := number >> 7:
        groups.append(number & 127)
    return bytes([*(group | 128 for group in groups[:-1]), groups[-1]])
