"""Conversion of raw rows to the typed values of a spec's features, without TensorFlow and Arrow.

The client and `tfmtl predict` read rows by this code. What it accepts, and what a value becomes, is what the validation
of a log (`transforms.validation`) accepts and makes of it; a test compares both on generated rows.
"""

from tfmtl.rows.features import InvalidValue, ParsedRows, parse_rows
from tfmtl.rows.lists import Lists
from tfmtl.rows.tables import RowsError, to_columns

__all__ = ["InvalidValue", "Lists", "ParsedRows", "RowsError", "parse_rows", "to_columns"]
