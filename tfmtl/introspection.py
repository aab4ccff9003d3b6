"""Access to intermediate values of a model: gates, attention weights, selection rates, tower activations, temperatures.

A layer or model calls `record(name, tensor)` where a value is computed. Recorded values are kept only inside a
`collect` block:

```python
with collect() as taps:
    logits = model(features)
taps["gate/click"]  # (batch, experts)
```

`MultiTaskModel.inspect(features)` does the same in one call. Names are paths: the kind of value, then what
distinguishes several values of a kind (`gate/<task>`, `tower/<task>/<layer>`). A tensor belongs to the graph in which
it is recorded, so a `train_step` that needs recorded values, such as a contrastive loss between tower activations,
collects them around its own forward pass.
"""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

_active = threading.local()


@contextlib.contextmanager
def collect() -> Iterator[dict[str, Any]]:
    """Collects the values that are recorded in this thread inside the `with` block.

    Blocks may be nested; a value is collected by the innermost block only.

    Yields:
        The recorded values by name.

    Example:
        >>> from tfmtl.introspection import collect, record
        >>> with collect() as taps:
        ...     record("gate/click", 0.7)
        >>> taps
        {'gate/click': 0.7}
    """
    outer = getattr(_active, "taps", None)
    taps: dict[str, Any] = {}
    _active.taps = taps
    try:
        yield taps
    finally:
        _active.taps = outer


def is_collecting() -> bool:
    """Returns True inside a `collect` block, for values that are computed only to be recorded.

    Example:
        >>> from tfmtl.introspection import collect, is_collecting
        >>> is_collecting()
        False
        >>> with collect():
        ...     is_collecting()
        True
    """
    return getattr(_active, "taps", None) is not None


def record(name: str, value: Any) -> None:
    """Records a value for the innermost `collect` block; does nothing outside of such a block.

    Args:
        name: Path of the value, such as `gate/click`.
        value: The value, usually a tensor.

    Raises:
        ValueError: If the name was already recorded in the block.

    Example:
        >>> from tfmtl.introspection import collect, record
        >>> record("gate/click", 0.7)
        >>> with collect() as taps:
        ...     record("gate/buy", 0.2)
        >>> taps
        {'gate/buy': 0.2}
    """
    taps = getattr(_active, "taps", None)
    if taps is None:
        return
    if name in taps:
        raise ValueError(f"`name` should be recorded once in a forward pass. Received: {name!r} again")
    taps[name] = value
