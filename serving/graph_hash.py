"""Hash of what a signature of a SavedModel computes, which is the same for all saves of one model."""

import hashlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

_INIT_OP = "__saved_model_init_op"
_RESOURCES = ("HashTableV2", "MutableHashTableV2", "VarHandleOp")
_CALL = "StatefulPartitionedCall"  # Without inputs it creates a table that was loaded from another SavedModel.
# Attributes that name things or say how an operation is run, not what it computes.
_IGNORED = ("shared_name", "container", "config", "config_proto", "executor_type", "use_node_name_sharing")


def graph_hash(directory: str, signature: str) -> str:
    """Returns a SHA-256 hash of operations, constants, vocabularies and their connections.

    The hash of a value is that of its operation, its attributes and the hashes of its inputs, and the hash of a call
    has that of the function in place of its name. Names of nodes and functions, which differ between saves, paths of
    files, control inputs and the order of nodes have no influence. Tables and variables are numbered in the order in
    which they are found, and tables have the hash of what initializes them. Values of variables are not part of it.

    Args:
        directory: Folder of the SavedModel.
        signature: Name of the signature.
    """
    saved_model = saved_model_pb2.SavedModel()
    with tf.io.gfile.GFile(os.path.join(directory, "saved_model.pb"), "rb") as file:
        saved_model.ParseFromString(file.read())
    return _GraphHash(saved_model.meta_graphs[0], os.path.join(directory, "assets")).of_signature(signature)


class _GraphHash:
    """Hashes of the nodes and functions of one graph."""

    def __init__(self, graph: meta_graph_pb2.MetaGraphDef, assets: str):
        self._graph = graph
        self._nodes = {node.name: node for node in graph.graph_def.node}
        self._functions = {function.signature.name: function for function in graph.graph_def.library.function}
        self._assets = {_node_name(a.tensor_info.name): os.path.join(assets, a.filename) for a in graph.asset_file_def}
        self._of_function: dict[str, str] = {}
        self._of_node: dict[str, str] = {}
        self._resources: list[str] = []

    def of_signature(self, signature: str) -> str:
        outputs = self._graph.signature_def[signature].outputs
        parts = [f"{name}={self._value(outputs[name].name)}" for name in sorted(outputs)]
        initializers = self._initializers()
        for resource in self._resources:  # Those that the initializers use themselves are appended meanwhile.
            parts += [self._hash(name) for name in initializers.get(resource, ())]
        return _digest("signature", *parts)

    def _value(self, reference: str) -> str:
        name = _node_name(reference)
        return f"{self._hash(name)}:{reference.partition(':')[2] or '0'}"

    def _hash(self, name: str) -> str:
        for ready in _post_order(name, lambda one: [] if one in self._of_node else _inputs(self._nodes[one])):
            if ready not in self._of_node:
                self._of_node[ready] = self._hash_node(self._nodes[ready])
        return self._of_node[name]

    def _hash_node(self, node: Any) -> str:
        if node.name in self._assets:
            with tf.io.gfile.GFile(self._assets[node.name], "rb") as file:
                return _digest("asset", hashlib.sha256(file.read()).hexdigest())
        if node.op in _RESOURCES or (node.op == _CALL and not _inputs(node)):
            self._resources.append(node.name)
            return _digest(node.op, str(len(self._resources)), *self._attributes(node))
        inputs = [self._value(reference) for reference in node.input if not reference.startswith("^")]
        return _digest(node.op, *self._attributes(node), *inputs)

    def _initializers(self) -> dict[str, list[str]]:
        """Returns the nodes that initialize each resource, sorted by their names."""
        found: dict[str, list[str]] = {}
        if _INIT_OP in self._graph.signature_def:
            init = _node_name(self._graph.signature_def[_INIT_OP].outputs[_INIT_OP].name)
            for name in sorted(reference.removeprefix("^") for reference in self._nodes[init].input):
                for resource in dict.fromkeys(_inputs(self._nodes[name])):
                    found.setdefault(resource, []).append(name)
        return found

    def _function(self, name: str) -> str:
        if name not in self._of_function:
            function = self._functions[name]
            nodes = {node.name: node for node in function.node_def}
            hashes = {arg.name: _digest("argument", str(i)) for i, arg in enumerate(function.signature.input_arg)}

            def value(reference: str) -> str:
                return f"{hashes[_node_name(reference)]}:{reference.partition(':')[2] if ':' in reference else ''}"

            results = [function.ret[arg.name] for arg in function.signature.output_arg]
            for result in results:
                start = _node_name(result)
                for ready in _post_order(start, lambda one: [] if one in hashes else _inputs(nodes[one])):
                    if ready not in hashes:
                        node = nodes[ready]
                        inputs = [value(reference) for reference in node.input if not reference.startswith("^")]
                        hashes[ready] = _digest(node.op, *self._attributes(node), *inputs)
            self._of_function[name] = _digest("function", *(value(result) for result in results))
        return self._of_function[name]

    def _attributes(self, node: Any) -> list[str]:
        names = [name for name in sorted(node.attr) if not name.startswith("_") and name not in _IGNORED]
        return [f"{name}={self._attribute(node.attr[name])}" for name in names]

    def _attribute(self, attribute: attr_value_pb2.AttrValue) -> str:
        kind = attribute.WhichOneof("value")
        if kind == "func":
            return self._function(attribute.func.name)
        if kind == "list" and attribute.list.func:
            return _digest(*(self._function(func.name) for func in attribute.list.func))
        if kind == "tensor":  # One tensor has several encodings.
            array = tf.make_ndarray(attribute.tensor)
            values = repr(array.tolist()).encode() if array.dtype.hasobject else array.tobytes()
            return _digest(str(array.dtype), str(array.shape), hashlib.sha256(values).hexdigest())
        return hashlib.sha256(attribute.SerializeToString(deterministic=True)).hexdigest()


def _post_order(start: str, inputs: Callable[[str], list[str]]) -> Iterator[str]:
    """Yields nodes after their inputs, without recursion, as graphs are deep."""
    stack: list[tuple[str, Iterator[str]]] = [(start, iter(inputs(start)))]
    seen = {start}
    while stack:
        name, rest = stack[-1]
        following = next((one for one in rest if one not in seen), None)
        if following is None:
            stack.pop()
            yield name
        else:
            seen.add(following)
            stack.append((following, iter(inputs(following))))


def _inputs(node: Any) -> list[str]:
    return [_node_name(reference) for reference in node.input if not reference.startswith("^")]


def _node_name(reference: str) -> str:
    return reference.partition(":")[0]


def _digest(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()
