"""Manifest of an export: the list of its files with their sizes and checksums, which is written last.

A folder whose copy has not ended may look like a whole SavedModel. A vocabulary that is cut at the end of a line, for
example, loads without an error and gives other scores. With the manifest a server knows which files there are to come.

The graph of an export names its manifest (`has_marker`), so that a copy that lacks the manifest too is noticed.
"""

import dataclasses
import functools
import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

MANIFEST = "assets.extra/tfmtl_manifest.json"
MARKER = "tfmtl_manifest"
"""Attribute of the exported `tf.Module` that says that the export has a manifest."""

_BLOCK = 1 << 22


@dataclasses.dataclass(frozen=True)
class FileEntry:
    """File of an export.

    Attributes:
        size: Size in bytes.
        sha256: SHA-256 checksum in hexadecimal digits.
    """

    size: int
    sha256: str


def write_manifest(directory: str) -> None:
    """Writes the manifest of all files of an export. It is written last, and again if a file is changed on purpose.

    Args:
        directory: Folder of the export, on a local disk or an object store.

    Example:
        >>> import pathlib, tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "saved_model.pb").write_bytes(b"graph")
        >>> write_manifest(str(folder))
        >>> read_manifest(folder)["saved_model.pb"].size
        5
    """
    root = directory.rstrip("/")
    files = {}
    for folder, _, names in tf.io.gfile.walk(root):
        for name in names:
            path = f"{folder.rstrip('/')}/{name}"
            relative = path[len(root) + 1 :]
            if relative != MANIFEST:
                with tf.io.gfile.GFile(path, "rb") as file:
                    files[relative] = {"size": file.size(), "sha256": _sha256(file)}
    tf.io.gfile.makedirs(f"{root}/{MANIFEST}".rsplit("/", 1)[0])
    with tf.io.gfile.GFile(f"{root}/{MANIFEST}", "w") as file:
        json.dump({"files": dict(sorted(files.items()))}, file, indent=1)


def read_manifest(folder: pathlib.Path) -> Mapping[str, FileEntry] | None:
    """Returns the files of an export by their paths relative to its folder; None if it has no manifest.

    Args:
        folder: Folder of the export.

    Raises:
        ValueError: If the manifest is cut or of another form.
    """
    try:
        text = (folder / MANIFEST).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return {name: FileEntry(**entry) for name, entry in json.loads(text)["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{MANIFEST} should be complete. Received: {len(text)} bytes that are no manifest") from error


def first_difference(folder: pathlib.Path, files: Mapping[str, FileEntry]) -> str | None:
    """Returns what distinguishes a folder from its manifest, as one sentence; None if each file is as it should be.

    Further files are allowed. Checksums are computed once all sizes are right.

    Args:
        folder: Folder of the export.
        files: Files of the manifest.
    """
    for name, entry in files.items():
        path = folder / name
        if not path.is_file():
            return f"{name} should be there. Received: no such file"
        size = path.stat().st_size
        if size != entry.size:
            return f"{name} should have {entry.size} bytes. Received: {size}"
    for name, entry in files.items():
        with (folder / name).open("rb") as file:
            if _sha256(file) != entry.sha256:
                return f"{name} should have the checksum of the manifest. Received: another one"
    return None


def has_marker(folder: pathlib.Path) -> bool:
    """Returns whether the graph of a SavedModel says that the export has a manifest.

    Args:
        folder: Folder of the SavedModel. It may be incomplete; a graph that cannot be read has no marker.
    """
    try:
        saved_model = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    except (FileNotFoundError, NotADirectoryError, DecodeError):
        return False
    roots = [node for graph in saved_model.meta_graphs for node in graph.object_graph_def.nodes[:1]]
    return any(child.local_name == MARKER for node in roots for child in node.children)


def _sha256(file: Any) -> str:
    digest = hashlib.sha256()
    for block in iter(functools.partial(file.read, _BLOCK), b""):
        digest.update(block)
    return digest.hexdigest()
