"""JSON of `:predict`: both forms of requests and answers, and the errors of values that do not fit the signature."""

import base64
import json

import numpy as np
import pytest
from tensorflow.core.protobuf import meta_graph_pb2

from serving import protos, tensors
from serving.errors import StatusError
from serving.rest.json_values import parse_object, to_text
from serving.rest.predict_json import fill_inputs, predictions, signature_name

DTYPES = {"float": 1, "double": 2, "int32": 3, "string": 7, "int64": 9, "bool": 10, "uint64": 23}


def infos(**dtypes):
    """Inputs of a signature by name."""
    return {name: meta_graph_pb2.TensorInfo(dtype=DTYPES[dtype]) for name, dtype in dtypes.items()}


def filled(document, **dtypes):
    """Inputs of the request that JSON gives, as arrays."""
    request = protos.PredictRequest()
    form = fill_inputs(parse_object(json.dumps(document).encode()), infos(**dtypes), request)
    return form, {name: tensors.decode(request.inputs[name]) for name in request.inputs}


def error(document, **dtypes):
    with pytest.raises(StatusError) as caught:
        filled(document, **dtypes)
    assert caught.value.code.name == "INVALID_ARGUMENT"
    return caught.value.details


def test_rows_of_several_inputs():
    document = {"instances": [{"age": 31.5, "tags": ["a", "b"]}, {"tags": ["c", ""], "age": 7}]}
    form, arrays = filled(document, age="float", tags="string")
    assert form == "row"
    np.testing.assert_array_equal(arrays["age"], np.float32([31.5, 7]))
    assert arrays["tags"].tolist() == [[b"a", b"b"], [b"c", b""]]


def test_columns_of_several_inputs():
    form, arrays = filled({"inputs": {"age": [31.5, 7], "user": ["u1", "ü"], "extra": 1}}, age="float", user="string")
    assert form == "column"
    assert arrays["user"].tolist() == [b"u1", "ü".encode()]


@pytest.mark.parametrize("key", ["instances", "inputs"])
def test_one_input_without_its_name(key):
    _, arrays = filled({key: [1, 2, 3]}, x="int64")
    assert arrays["x"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("key", ["instances", "inputs"])
def test_base64_of_bytes(key):
    value = b"\xff\x00example"
    encoded = {"b64": base64.b64encode(value).decode().rstrip("=")}
    _, arrays = filled({key: [encoded, encoded]}, examples="string")
    assert arrays["examples"].tolist() == [value, value]


def test_scalars_and_numbers_that_are_not_finite():
    _, arrays = filled({"inputs": {"x": float("nan"), "y": [float("inf"), -1e300]}}, x="float", y="double")
    assert np.isnan(arrays["x"])
    assert arrays["y"].tolist() == [np.inf, -1e300]


@pytest.mark.parametrize(
    ("document", "dtypes", "text"),
    [
        ({}, {"x": "float"}, "Missing 'inputs' or 'instances' key"),
        ({"instances": 3}, {"x": "float"}, "JSON Value: {} Excepting 'instances' to be an list/array"),
        ({"instances": []}, {"x": "float"}, "JSON Value: {} No values in 'instances' array"),
        (
            {"instances": [1], "inputs": [1]},
            {"x": "float"},
            "JSON Value: {} Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
        ),
        ({"inputs": {"x": [1]}}, {"x": "float", "y": "float"}, "Missing named input: y in 'inputs' object."),
        (
            {"instances": [1]},
            {"x": "float", "y": "float"},
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map",
        ),
        (
            {"inputs": [1]},
            {"x": "float", "y": "float"},
            "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
            "tensorinfo_map",
        ),
        ({"instances": [{"x": 1}, 2]}, {"x": "float"}, "Expecting object but got list at item 1 of input list"),
        ({"instances": [1, {"x": 1}]}, {"x": "float"}, "Expecting value/list but got object at item 1 of input list"),
        (
            {"instances": [{"x": 1, "z": 2}]},
            {"x": "float"},
            "Failed to process element: 0 key: z of 'instances' list. Error: INVALID_ARGUMENT: JSON object: does not "
            "have named input: z",
        ),
        (
            {"instances": [{"x": 1}]},
            {"x": "float", "y": "float"},
            "Failed to process element: 0 of 'instances' list. JSON object: {\n    \"x\": 1\n} must only have "
            "keys: x,y",
        ),
        (
            {"instances": [[1, 2], [3]]},
            {"x": "float"},
            "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting tensor size: 2 but "
            "got: 1",
        ),
        (
            {"instances": [[[1], [2]], [[1, 2]]]},
            {"x": "float"},
            "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting shape [2,1] but got: "
            "[1,2]",
        ),
        (
            {"inputs": [[1], 2]},
            {"x": "float"},
            "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
        ),
        ({"inputs": [1, [2]]}, {"x": "float"}, "Encountered list at unexpected level: 1 expected < 1"),
        (
            {"inputs": [[1, 2], [3]]},
            {"x": "float"},
            "Encountered list at unexpected size: 1 at level: 1 expected size: 2",
        ),
        ({"inputs": ["a"]}, {"x": "float"}, 'JSON Value: "a" Type: String is not of expected type: float'),
        ({"inputs": [None]}, {"x": "string"}, "JSON Value: null Type: Null is not of expected type: string"),
        ({"inputs": [True]}, {"x": "float"}, "JSON Value: true Type: True is not of expected type: float"),
        ({"inputs": [1.5]}, {"x": "int64"}, "JSON Value: 1.5 Type: Number is not of expected type: int64"),
        ({"inputs": [2**31]}, {"x": "int32"}, "JSON Value: 2147483648 Type: Number is not of expected type: int32"),
        ({"inputs": [-1]}, {"x": "uint64"}, "JSON Value: -1 Type: Number is not of expected type: uint64"),
        (
            {"inputs": [{"a": 1}]},
            {"x": "float"},
            'JSON Value: {\n    "a": 1\n} Type: Object is not of expected type: float',
        ),
        (
            {"inputs": [{"a": 1}]},
            {"x": "string"},
            'JSON Value: {\n    "a": 1\n} not formatted correctly for base64 data',
        ),
        ({"inputs": [{"b64": "*"}]}, {"x": "string"}, "Unable to base64 decode"),
        (
            {"inputs": [2**24]},
            {"x": "float"},
            "Cannot convert JSON value: 16777216 to float without loss of precision.",
        ),
        ({"inputs": [1e39]}, {"x": "float"}, "Cannot convert JSON value: 1e+39 to float without loss of precision."),
    ],
)
def test_errors(document, dtypes, text):
    assert error(document, **dtypes) == text.replace("JSON Value: {} ", f"JSON Value: {to_text(document)} ")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "The document is empty"),
        (b"{", "Missing a name for object member. at offset: 1"),
        (b'{"inputs" 1}', "Missing a colon after a name of object member. at offset: 10"),
        (b'{"inputs": [1 2]}', "Missing a comma or ] after an array element. at offset: 14"),
        (b'{"inputs": "]" "a"}', "Missing a comma or } after an object member. at offset: 15"),
        (b'{"inputs": x}', "Invalid value. at offset: 11"),
        (b"{} 1", "The document root must not be followed by other values. at offset: 3"),
        (b'{"a": "\xff"}', "Invalid encoding in string. at offset: 7"),
    ],
)
def test_errors_of_malformed_json(body, text):
    with pytest.raises(StatusError) as caught:
        parse_object(body)
    assert caught.value.details == f"JSON Parse error: {text}"


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b'{"inputs": ' + b"9" * 5000 + b"}"])
def test_extreme_json_is_an_error(body):
    with pytest.raises(StatusError, match="JSON Parse error"):
        parse_object(body)


def test_name_of_the_signature():
    assert signature_name({"signature_name": "raw"}) == "raw"
    assert signature_name({}) == ""
    with pytest.raises(StatusError, match="'signature_name' key must be a string value"):
        signature_name({"signature_name": 1})


def arrays_of(**outputs):
    return {name: np.asarray(values) for name, values in outputs.items()}


def test_answers_of_several_outputs():
    made = arrays_of(ctr=np.float32([0.1, 0.7]), ids=np.array([[1, 2], [3, 4]]))
    assert predictions("row", made) == {"predictions": [{"ctr": 0.1, "ids": [1, 2]}, {"ctr": 0.7, "ids": [3, 4]}]}
    assert predictions("column", made) == {"outputs": {"ctr": [0.1, 0.7], "ids": [[1, 2], [3, 4]]}}


def test_answers_of_one_output():
    made = arrays_of(y=np.float64([0.1, 1e-300]))
    assert predictions("row", made) == {"predictions": [0.1, 1e-300]}
    assert predictions("column", made) == {"outputs": [0.1, 1e-300]}
    assert predictions("column", arrays_of(y=np.float32(2.5))) == {"outputs": 2.5}


def test_numbers_of_the_answer_are_the_floats_of_the_model():
    values = np.random.default_rng(0).normal(size=2000).astype("float32") * 10.0 ** np.arange(-30, 10, 0.02)
    values = values.astype("float32")
    text = json.dumps(predictions("column", arrays_of(y=values)))
    np.testing.assert_array_equal(np.float32(json.loads(text)["outputs"]), values)
    special = json.dumps(predictions("column", arrays_of(y=np.float32([np.nan, np.inf, -np.inf]))))
    assert special == '{"outputs": [NaN, Infinity, -Infinity]}'


def test_strings_and_bytes():
    made = arrays_of(token=np.array([b"a", "ü".encode()], object), raw_bytes=np.array([b"\xff", b""], object))
    assert predictions("row", made)["predictions"] == [
        {"raw_bytes": {"b64": "/w=="}, "token": "a"},
        {"raw_bytes": {"b64": ""}, "token": "ü"},
    ]


@pytest.mark.parametrize(
    ("outputs", "text"),
    [
        ({}, "Cannot convert empty tensor map to JSON"),
        ({"y": np.float32(1)}, "Tensor name: y has no shape information "),
        ({"y": np.zeros(0, "float32")}, "Tensor name: y has invalid batch size: 0"),
        ({"a": np.zeros(2), "b": np.zeros(3)}, "Tensor name: b has inconsistent batch size: 3 expecting: 2"),
    ],
)
def test_answers_that_have_no_rows(outputs, text):
    with pytest.raises(StatusError) as caught:
        predictions("row", arrays_of(**outputs))
    assert caught.value.details == text
