"""Sizes of axes that a layer has to know when it is built."""


def known(size: int | None) -> int:
    """Returns the size of an axis.

    Raises:
        ValueError: If the size is unknown.
    """
    if size is None:
        raise ValueError("the size of every axis but the batch's should be known when a layer is built. Received: None")
    return size
