"""pyarrow's file systems by the scheme of a path: local disks and object stores."""

import functools
import os
import posixpath
from urllib.parse import urlsplit

from pyarrow import fs

OBJECT_STORES = ("s3", "gcs", "abfs")
"""Names that pyarrow gives to file systems without folders and renaming."""
MINIO = "minio://"
"""Scheme of an S3-compatible store in Kubeflow Pipelines, whose default store has it."""
_MINIO_ENDPOINT = "http://minio-service.kubeflow:9000"
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


def resolve(path: str) -> tuple[fs.FileSystem, str]:
    """Returns the file system of a path, and the path's name in it.

    `s3://` and `minio://` are S3-compatible stores. Their credentials are those of the environment
    (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`) or of the machine. The address of a store other than Amazon's is
    `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`; for `minio://` it is that of Kubeflow's own store by default.
    `gs://` is Google Cloud Storage, with its application default credentials.

    Args:
        path: Local path, or URI of an object.

    Example:
        >>> from transforms.storage.file_systems import resolve
        >>> system, name = resolve("/data/log.csv")
        >>> system.type_name, name
        ('local', '/data/log.csv')
    """
    if "://" not in path:
        return fs.LocalFileSystem(), os.path.abspath(path)
    scheme, _, rest = path.partition("://")
    host, _, name = rest.partition("/")
    system, root = _file_system(f"{scheme}://{host}/", _endpoint(scheme))
    return system, posixpath.join(root, name)  # Joined, as `?` and `%` in a name are special characters of a URI.


def _endpoint(scheme: str) -> str | None:
    """Returns the address of an S3-compatible store; None for that of the scheme."""
    if scheme not in ("s3", "minio"):
        return None
    found = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), None)
    return found or (_MINIO_ENDPOINT if scheme == "minio" else None)


@functools.cache
def _file_system(uri: str, endpoint: str | None) -> tuple[fs.FileSystem, str]:
    if endpoint is None:
        system, root = fs.FileSystem.from_uri(uri)
        return system, root
    address = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    system = fs.S3FileSystem(endpoint_override=address.netloc, scheme=address.scheme, region=region)
    return system, urlsplit(uri).netloc
