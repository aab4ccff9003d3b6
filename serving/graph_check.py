"""Parts of a SavedModel's graph that TensorFlow Serving's C++ session cannot run, or that lie outside its folder."""

import pathlib
import re
from collections.abc import Iterator
from typing import Any

from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry  # No public name exists for the registered operations.

GRAPH = "saved_model.pb"
ASSETS = "assets"

_PYTHON_OPS = ("PyFunc", "PyFuncStateless", "EagerPyFunc", "NumpyFunction")
_XLA_OPS = ("XlaLaunch", "XlaLaunchV2", "_XlaCompile", "_XlaRun", "XlaCallModule")
_XLA_ATTRIBUTE = "_XlaMustCompile"
_REMOTE = re.compile(r"^(gs|s3|hdfs|file)://")


def graph_errors(folder: pathlib.Path) -> list[str]:
    """Returns a sentence for each part of the graph that fails in a C++ session or reads a file outside the folder.

    Args:
        folder: Folder of the SavedModel.

    Returns:
        Sentences, each once: Python functions, operations that are compiled by XLA, operations that TensorFlow does not
        have, assets that are missing, and files outside the folder.
    """
    saved = saved_model_pb2.SavedModel.FromString((folder / GRAPH).read_bytes())
    errors: dict[str, None] = {}
    for graph in saved.meta_graphs:
        assets = {asset.tensor_info.name.partition(":")[0] for asset in graph.asset_file_def}
        for asset in graph.asset_file_def:
            if not (folder / ASSETS / asset.filename).is_file():
                errors[f"the asset {asset.filename} should be in {folder / ASSETS}: there is no such file"] = None
        for function in graph.graph_def.library.function:
            if function.attr[_XLA_ATTRIBUTE].b:
                errors[_xla_sentence(f"the function {function.signature.name}")] = None
        for place, node in _nodes(graph.graph_def):
            for sentence in _node_errors(place, node, assets):
                errors[sentence] = None
    return list(errors)


def _nodes(graph: Any) -> Iterator[tuple[str, Any]]:
    """Yields the nodes of a graph and of its functions, each with the words that name its place."""
    functions = {function.signature.name for function in graph.library.function}
    for node in graph.node:
        if node.op not in functions:
            yield "", node
    for function in graph.library.function:
        for node in function.node_def:
            if node.op not in functions:
                yield f" in the function {function.signature.name}", node


def _node_errors(place: str, node: Any, assets: set[str]) -> Iterator[str]:
    name = f"the operation {node.name} ({node.op}){place}"
    if node.op in _PYTHON_OPS:
        yield f"{name} calls Python, which a server does not have"
    elif node.op in _XLA_OPS or node.attr[_XLA_ATTRIBUTE].b:
        yield _xla_sentence(name)
    elif op_def_registry.get(node.op) is None:
        yield f"{name} is not one of TensorFlow's: a server needs the library that registers it"
    if node.op == "Const" and node.name not in assets:
        for text in node.attr["value"].tensor.string_val:
            path = text.decode(errors="replace")
            if _REMOTE.match(path) or (path.startswith("/") and len(path) < 4096 and pathlib.Path(path).is_file()):
                yield f"{name} refers to {path}, a file outside the SavedModel"


def _xla_sentence(name: str) -> str:
    return f"{name} is compiled by XLA (`jit_compile`), which a server without an XLA compiler cannot run"
