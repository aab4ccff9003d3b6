"""Protobuf's bytes of the parts of a tf.Example.

A tf.Example is one field, `Features`; that is a map, and each entry of a map a message of key and value.
"""

BYTES_LIST, FLOAT_LIST, INT64_LIST = 1, 2, 3


def head(name: str, kind: int, body: int) -> bytes:
    """What stands before the body of a list, an entry of `Features.feature`."""
    feature = field_key(kind) + varint(body)
    key = field_key(1) + varint(len(name.encode())) + name.encode()
    value = field_key(2) + varint(len(feature) + body) + feature
    return field_key(1) + varint(len(key) + len(value) + body) + key + value


def packed_head(name: str, kind: int, size: int) -> bytes:
    """The same for a list of numbers, which are packed into `size` bytes."""
    packed = field_key(1) + varint(size)
    return head(name, kind, len(packed) + size) + packed


def field_key(number: int) -> bytes:
    """Of a field that holds bytes of some length."""
    return bytes([number << 3 | 2])


def varint(number: int) -> bytes:
    """A whole number from 0 on, seven bits a byte, the lowest ones first."""
    groups = [number & 127]
    while number := number >> 7:
        groups.append(number & 127)
    return bytes([*(group | 128 for group in groups[:-1]), groups[-1]])
