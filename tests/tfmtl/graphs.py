"""Inspection of traced functions."""

from typing import Any


def tensors_of_shape(function: Any, shape: tuple[int, ...]) -> list[str]:
    """Returns the operations of a concrete function, and of the functions it calls, whose result has a given shape.

    The handle of a variable is a scalar, whatever the variable's shape; reading its value is an operation.
    """
    definition = function.graph.as_graph_def(add_shapes=True)
    found = []
    for nodes in (definition.node, *(body.node_def for body in definition.library.function)):
        for node in nodes:
            shapes = [tuple(dim.size for dim in output.dim) for output in node.attr["_output_shapes"].list.shape]
            if shape in shapes:
                found.append(node.op)
    return found
