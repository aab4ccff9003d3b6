"""How a model shows what happens inside it: gates, attention weights, selection rates, tower hiddens, temperatures.

A layer or model calls `record(name, tensor)` where the value arises. Nothing happens unless somebody collects:

```python
with collect() as taps:
    logits = model(features)
taps["gate/click"]            # (batch, experts)
```

`MultiTaskModel.inspect(features)` does that in one call. Names are paths: the kind of value, then what tells several
of a kind apart (`gate/<task>`, `tower/<task>/<layer>`). Tensors belong to the graph they were recorded in, so a
`train_step` that needs one (a contrastive loss between tower hiddens) collects around its own forward pass.
"""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

_active = threading.local()


@contextlib.contextmanager
def collect() -> Iterator[dict[str, Any]]:
    """Collects what is recorded in this thread inside the `with` block; the innermost block gets it."""
    outer = getattr(_active, "taps", None)
    taps: dict[str, Any] = {}
    _active.taps = taps
    try:
        yield taps
    finally:
        _active.taps = outer


def record(name: str, value: Any) -> None:
    """Shows `value` under `name` to whoever collects; costs nothing when nobody does.

    Raises:
        ValueError: if the name was already recorded in this forward pass.
    """
    taps = getattr(_active, "taps", None)
    if taps is None:
        return
    if name in taps:
        raise ValueError(f"`name` should be recorded once in a forward pass. Received: {name!r} again")
    taps[name] = value
