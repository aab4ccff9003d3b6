"""A server whose answers and failures a test sets."""

import threading
import time
from concurrent import futures

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2


class ScriptedServer:
    """Server whose `raw` signature answers `score` = age + 100 version, or with the next one of `failures`."""

    def __init__(self):
        self.requests: list[predict_pb2.PredictRequest] = []
        self.metadata_calls = 0
        self.failures: list[grpc.StatusCode | None] = []
        self.version = 1
        self.extra_input: str | None = None
        self.swap_at: int | None = None
        self.unload = False
        self.seconds = 0.0
        self.headers: list[dict[str, str]] = []
        self.in_flight = self.most_in_flight = 0
        self._lock = threading.Lock()
        self._server = grpc.server(futures.ThreadPoolExecutor(4))
        metadata = get_model_metadata_pb2
        methods = {
            "Predict": (self.predict, predict_pb2.PredictRequest, predict_pb2.PredictResponse),
            "GetModelMetadata": (
                self.metadata,
                metadata.GetModelMetadataRequest,
                metadata.GetModelMetadataResponse,
            ),
        }
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(method, request.FromString, response.SerializeToString)
            for name, (method, request, response) in methods.items()
        }
        generic = grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", handlers)
        self._server.add_generic_rpc_handlers((generic,))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def predict(self, request, context):
        with self._lock:
            self.requests.append(request)
            self.headers.append(dict(context.invocation_metadata()))
            failure = self.failures.pop(0) if self.failures else None
            if len(self.requests) == self.swap_at:
                self.version += 1
            version = self.version
            self.in_flight += 1
            self.most_in_flight = max(self.in_flight, self.most_in_flight)
        time.sleep(self.seconds)
        with self._lock:
            self.in_flight -= 1
        if failure:
            context.abort(failure, "not now")
        if self.unload and request.model_spec.version.value not in (0, version):
            context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found for request: Specific(ads, 1)")
        response = predict_pb2.PredictResponse()
        response.model_spec.version.value = version
        ages = tf.make_ndarray(request.inputs["age"])
        response.outputs["score"].CopyFrom(tf.make_tensor_proto(ages + np.float32(100 * version)))
        return response

    def metadata(self, request, context):
        self.metadata_calls += 1
        signature = meta_graph_pb2.SignatureDef()
        for name, dtype, rank in [("age", 1, 1), ("city", 7, 1), ("tags", 7, 2), ("weights", 1, 2), ("visits", 9, 1)]:
            if name == "visits" and self.extra_input != name:
                continue
            signature.inputs[name].dtype = dtype
            for _ in range(rank):
                signature.inputs[name].tensor_shape.dim.add().size = -1
        signature.outputs["score"].dtype = 1
        signatures = get_model_metadata_pb2.SignatureDefMap(signature_def={"raw": signature})
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.version.value = self.version
        response.metadata["signature_def"].Pack(signatures)
        return response

    def stop(self):
        self._server.stop(0).wait()
