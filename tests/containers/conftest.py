"""The image of the Dockerfile, and a volume for its containers."""

import os
import uuid

import pytest

from tests.containers.engine import done


@pytest.fixture(scope="session")
def image():
    """Returns the tag of the image that `make kubeflow` has built."""
    tag = os.environ.get("TFMTL_IMAGE")
    if not tag:
        pytest.skip("needs a Docker engine, and in TFMTL_IMAGE the tag of an image, which `make kubeflow` builds")
    return tag


@pytest.fixture(scope="module")
def volume(image):
    """Returns the name of a volume that belongs to the user of hardened containers."""
    name = f"tfmtl-test-{uuid.uuid4().hex[:8]}"
    done("volume", "create", name)
    try:
        done("run", "--rm", "--volume", f"{name}:/data", image, "chown", "10001:10001", "/data")
        yield name
    finally:
        done("volume", "rm", name)
