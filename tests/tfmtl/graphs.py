"""Looking into a traced function."""

from typing import Any


def tensors_of_shape(function: Any, shape: tuple[int, ...]) -> list[str]:
    """The operations of a concrete function, and of those that it calls, that give a tensor of that shape.

    The handle of a variable is a scalar, whatever the variable's shape; reading its value is an operation.
    """
    definition = function.graph.as_graph_def(add_shapes=True)
    found = []
    for nodes in (definition.node, *(body.node_def for body in definition.library.function)):
        for node in nodes:
            shapes = [tuple(side.size for side in one.dim) for one in node.attr["_output_shapes"].list.shape]
            if shape in shapes:
                found.append(node.op)
    return found
