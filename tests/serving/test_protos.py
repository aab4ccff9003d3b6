"""Messages of `serving.protos`, compared with those of TensorFlow and TensorFlow Serving."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor_pool
from google.protobuf.message import Message
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    predict_pb2,
    prediction_log_pb2,
)

from serving import protos, tensors
from serving.protos.pool import POOL
from serving.protos.schema import ENUMS, MESSAGES
from tests.serving.test_tensors import NUMBERS, SHAPES, sample

PAIRS = [
    (protos.SignatureDef, meta_graph_pb2.SignatureDef),
    (protos.TensorProto, TensorProto),
    (protos.PredictRequest, predict_pb2.PredictRequest),
    (protos.GetModelMetadataResponse, get_model_metadata_pb2.GetModelMetadataResponse),
    (protos.GetModelStatusResponse, get_model_status_pb2.GetModelStatusResponse),
    (protos.PredictionLog, prediction_log_pb2.PredictionLog),
    (protos.ReloadConfigRequest, model_management_pb2.ReloadConfigRequest),
]


def described(field):
    """Returns what two fields of one wire format have in common."""
    kind = field.message_type or field.enum_type
    group = field.containing_oneof and field.containing_oneof.name
    packed = field.is_packed if hasattr(field, "is_packed") else None
    return field.number, field.type, field.label, field.has_presence, packed, kind and kind.full_name, group


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_fields_are_those_of_tensorflow(name):
    own, other = (pool.FindMessageTypeByName(name) for pool in (POOL, descriptor_pool.Default()))
    assert own is not other
    assert {f.name: described(f) for f in own.fields} == {
        f.name: described(f) for f in other.fields if f.name in own.fields_by_name
    }
    assert [f.name for f in own.fields] == [name for name in MESSAGES[name]]
    maps = {f.name for f in own.fields if f.message_type and f.message_type.GetOptions().map_entry}
    assert maps == {name for name, (_, kind, *_) in MESSAGES[name].items() if kind.startswith("map ")}


@pytest.mark.parametrize("name", sorted(ENUMS))
def test_values_of_enums_are_those_of_tensorflow(name):
    own, other = (pool.FindEnumTypeByName(name) for pool in (POOL, descriptor_pool.Default()))
    numbers = {value.name: value.number for value in own.values}
    assert numbers == ENUMS[name]
    assert numbers == {value.name: value.number for value in other.values if value.name in numbers}


def serialized(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


@pytest.mark.parametrize("content", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [*NUMBERS, "string"])
def test_tensors_have_the_bytes_of_tensorflow(dtype, shape, content):
    array = sample(dtype, shape)
    own, other = protos.TensorProto(), TensorProto()
    tensors.write(own, array, content)
    tensors.write(other, array, content)
    assert serialized(own) == serialized(other)
    assert tensors.decode(protos.TensorProto.FromString(serialized(other))).tolist() == array.tolist()
    assert tf.make_ndarray(TensorProto.FromString(serialized(own))).tolist() == array.tolist()


def fill(message: Message, name: str) -> None:
    """Sets every declared field of a message; of a `oneof` the last one remains."""
    for field, (_, kind, *_) in MESSAGES[name].items():
        label, _, type_name = kind.rpartition(" ")
        value = getattr(message, field)
        if type_name in MESSAGES:
            fill({"map": lambda v: v["key"], "repeated": lambda v: v.add(), "": lambda v: v}[label](value), type_name)
        elif type_name == "google.protobuf.Int64Value":
            value.value = 3
        elif type_name != "google.protobuf.Any":
            scalar = {"string": "text", "bytes": b"bytes"}.get(type_name, 1)
            if label == "map":
                value["key"] = scalar
            elif label:
                value.extend([scalar, scalar])
            else:
                setattr(message, field, scalar)


@pytest.mark.parametrize(("own", "other"), PAIRS)
def test_messages_have_the_bytes_of_tensorflow(own, other):
    ours, theirs = own(), other()
    for message in (ours, theirs):
        fill(message, own.DESCRIPTOR.full_name)
    assert len(serialized(ours)) > 10
    assert serialized(ours) == serialized(theirs)
    assert other.FromString(serialized(ours)) == theirs
    assert own.FromString(serialized(theirs)) == ours


def test_any_is_packed_under_the_name_of_tensorflow():
    signatures = protos.SignatureDefMap()
    signatures.signature_def["raw"].inputs["age"].name = "raw_age:0"
    response = protos.GetModelMetadataResponse()
    response.metadata["signature_def"].Pack(signatures)
    theirs = get_model_metadata_pb2.GetModelMetadataResponse.FromString(response.SerializeToString())
    unpacked = get_model_metadata_pb2.SignatureDefMap()
    assert theirs.metadata["signature_def"].Unpack(unpacked)
    assert unpacked.signature_def["raw"].inputs["age"].name == "raw_age:0"
    theirs.metadata["signature_def"].Pack(unpacked)
    back = protos.SignatureDefMap()
    own = protos.GetModelMetadataResponse.FromString(theirs.SerializeToString())
    assert own.metadata["signature_def"].Unpack(back)
    assert back == signatures


def test_undeclared_fields_are_kept():
    signature = meta_graph_pb2.SignatureDef()
    signature.defaults["x"].CopyFrom(tf.make_tensor_proto(np.float32(2)))
    kept = protos.SignatureDef.FromString(signature.SerializeToString()).SerializeToString()
    assert meta_graph_pb2.SignatureDef.FromString(kept) == signature


IMPORTS = {
    "ours": "import serving.client",
    "tensorflow": "import tensorflow; from tensorflow_serving.apis import predict_pb2, prediction_log_pb2",
}


def python(program: str) -> str:
    """Runs a program in an interpreter of its own and returns what it prints."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("order", [("ours", "tensorflow"), ("tensorflow", "ours")])
def test_both_kinds_of_messages_in_one_process(order):
    check = """
from serving import protos
from tensorflow_serving.apis import predict_pb2
own = protos.PredictRequest(output_filter=["ctr"])
print(predict_pb2.PredictRequest.FromString(own.SerializeToString()).output_filter)
"""
    assert python("\n".join(IMPORTS[name] for name in order) + check) == "['ctr']\n"


def test_client_needs_neither_tensorflow_nor_pandas():
    program = """
import sys
import serving.client, serving.rows, serving.connection, serving.errors
tops = {name.partition(".")[0] for name in sys.modules}
print(sorted(tops & {"serving", "tensorflow", "tensorflow_serving", "keras", "pandas", "pyarrow"}))
"""
    assert python(program) == "['serving']\n"


def test_bfloat16_without_ml_dtypes():
    program = """
import sys
sys.modules["ml_dtypes"] = None
from serving import tensors
from serving.protos import TensorProto
print(tensors.numpy_dtype(1))
try:
    tensors.decode(TensorProto(dtype=14))
except ValueError as error:
    print(error)
"""
    assert python(program).splitlines() == [
        "float32",
        "bfloat16 needs the package ml-dtypes. Received: a tensor of dtype 14",
    ]
