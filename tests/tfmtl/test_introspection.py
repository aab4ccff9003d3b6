"""Collecting what layers record."""

import threading

import pytest

from tfmtl.introspection import collect, record


def test_nothing_happens_without_a_collector():
    record("gate/click", 1)
    record("gate/click", 2)
    with collect() as taps:
        pass
    assert taps == {}


def test_names_and_values():
    with collect() as taps:
        record("gate/click", 1)
        record("gate/buy", 2)
    record("gate/later", 3)
    assert taps == {"gate/click": 1, "gate/buy": 2}


def test_the_innermost_block_gets_it():
    with collect() as outer:
        record("a", 1)
        with collect() as inner:
            record("a", 2)
        record("b", 3)
    assert (outer, inner) == ({"a": 1, "b": 3}, {"a": 2})


def test_a_name_twice():
    with collect():
        record("a", 1)
        with pytest.raises(ValueError, match=r"should be recorded once in a forward pass\. Received: 'a' again"):
            record("a", 2)


def test_an_error_ends_the_collecting():
    with pytest.raises(KeyError), collect() as taps:
        raise KeyError
    record("a", 1)
    assert taps == {}


def test_threads_do_not_see_each_other():
    with collect() as taps:
        thread = threading.Thread(target=record, args=("a", 1))
        thread.start()
        thread.join()
    assert taps == {}
