"""Reasons for which a row is rejected."""

# Reasons of the readers.
WRONG_COLUMN_COUNT = "wrong_column_count"
INVALID_ENCODING = "invalid_encoding"
UNKNOWN_KEY = "unknown_key"
INVALID_RATING = "invalid_rating"
INCOMPLETE_FEATURE = "incomplete_feature"
INVALID_ID = "invalid_id"
DUPLICATE_ID = "duplicate_id"
DUPLICATE_DAY = "duplicate_day"
MISSING_COMMON_ROW = "missing_common_row"
TRUNCATED_RECORD = "truncated_record"
CORRUPT_RECORD = "corrupt_record"
MALFORMED_EXAMPLE = "malformed_example"
# Reasons of the validation, in the order in which they are tested.
TYPE_MISMATCH = "type_mismatch"
MULTIPLE_VALUES = "multiple_values"
MISSING_LABEL = "missing_label"
INVALID_LABEL = "invalid_label"
BROKEN_CHAIN = "broken_chain"
MISSING_REQUIRED = "missing_required"
NOT_A_NUMBER = "not_a_number"
INVALID_VECTOR = "invalid_vector"
INVALID_WEIGHTS = "invalid_weights"
INVALID_TIME = "invalid_time"
INVALID_ROW_WEIGHT = "invalid_row_weight"

REASONS: dict[str, str] = {
    WRONG_COLUMN_COUNT: "the number of values is not the number of columns",
    INVALID_ENCODING: "the line, or a string of the row, is not UTF-8",
    TRUNCATED_RECORD: "the file ends within the record",
    CORRUPT_RECORD: "the record does not match its checksum",
    MALFORMED_EXAMPLE: "the record is not a tf.Example",
    TYPE_MISMATCH: "a column has an unusable type, unlike in other rows",
    MULTIPLE_VALUES: "a column that holds one value per row has several",
    UNKNOWN_KEY: "the user, item or entity is not in its table",
    INVALID_RATING: "the rating is not on the rating scale",
    INCOMPLETE_FEATURE: "a feature lacks its field, its id or its value",
    INVALID_ID: "the id of the row is missing or malformed",
    DUPLICATE_ID: "an earlier row of the file has the same id",
    DUPLICATE_DAY: "an earlier row has the same entity and day",
    MISSING_COMMON_ROW: "the row with its common features is missing",
    MISSING_LABEL: "a label is missing",
    INVALID_LABEL: "a label is not 0 or 1, or a count is not an integer >= 0",
    BROKEN_CHAIN: "a label is positive, but the previous task's label is 0",
    MISSING_REQUIRED: "a required feature has no value",
    NOT_A_NUMBER: "a value of a numerical feature is not a finite number",
    INVALID_VECTOR: "the values are not as many finite numbers as the vector has",
    INVALID_WEIGHTS: "the weights are not one finite number per token",
    INVALID_TIME: "the time of the row is missing or invalid",
    INVALID_ROW_WEIGHT: "the weight of the row is missing, negative or not a number",
}
"""Explanation of each reason, as reports show it."""

RENAMED_REASONS = {
    "cut_line": WRONG_COLUMN_COUNT,
    "bad_encoding": INVALID_ENCODING,
    "impossible_rating": INVALID_RATING,
    "field_without_value": INCOMPLETE_FEATURE,
    "bad_id": INVALID_ID,
    "doubled_id": DUPLICATE_ID,
    "doubled_day": DUPLICATE_DAY,
    "cut_record": TRUNCATED_RECORD,
    "no_example": MALFORMED_EXAMPLE,
    "odd_type": TYPE_MISMATCH,
    "several_values": MULTIPLE_VALUES,
    "impossible_label": INVALID_LABEL,
    "bad_weights": INVALID_WEIGHTS,
    "bad_time": INVALID_TIME,
}
"""Present name by former name of each renamed reason; reports that were written with former names are still read."""
