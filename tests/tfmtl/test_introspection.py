"""Recording and collecting of intermediate values."""

import threading

import pytest

from tfmtl.introspection import collect, record


def test_values_outside_of_a_block_are_discarded():
    record("gate/click", 1)
    record("gate/click", 2)
    with collect() as taps:
        pass
    assert taps == {}


def test_block_collects_values_by_name():
    with collect() as taps:
        record("gate/click", 1)
        record("gate/buy", 2)
    record("gate/later", 3)
    assert taps == {"gate/click": 1, "gate/buy": 2}


def test_innermost_block_collects_a_value():
    with collect() as outer:
        record("a", 1)
        with collect() as inner:
            record("a", 2)
        record("b", 3)
    assert (outer, inner) == ({"a": 1, "b": 3}, {"a": 2})


def test_rejects_a_name_that_is_recorded_twice():
    with collect():
        record("a", 1)
        with pytest.raises(ValueError, match=r"should be recorded once in a forward pass\. Received: 'a' again"):
            record("a", 2)


def test_error_ends_the_block():
    with pytest.raises(KeyError), collect() as taps:
        raise KeyError
    record("a", 1)
    assert taps == {}


def test_block_ignores_values_of_other_threads():
    with collect() as taps:
        thread = threading.Thread(target=record, args=("a", 1))
        thread.start()
        thread.join()
    assert taps == {}
