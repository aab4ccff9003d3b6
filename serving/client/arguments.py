"""Arguments that the blocking and the asyncio client have in common."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import grpc
from google.protobuf.message import Message

from serving import protos
from serving.client.calls import Calls
from serving.client.model import RAW
from tfmtl.spec import DatasetSpec


@dataclasses.dataclass(frozen=True)
class ClientArguments:
    """Arguments of a client, validated.

    Attributes:
        host: Address of the server.
        model: Name under which the model is served.
        deadline: Seconds that one call may take.
        retries: Number of times that a request is sent again while the server is UNAVAILABLE.
        max_batch: Maximum number of rows in one request.
        max_in_flight: Maximum number of requests of one call that are in flight at once.
        signature: Signature that `predict` uses.
        version: Version of the model.
        label: Label of the version.
        spec: Spec by which rows are read if the model has none.
        credentials: Credentials for TLS.
        headers: Metadata of every request.
        channel_options: Further options of the gRPC channel.
    """

    host: str
    model: str
    deadline: float
    retries: int
    max_batch: int
    max_in_flight: int
    signature: str | None
    version: int | None
    label: str | None
    spec: DatasetSpec | None
    credentials: grpc.ChannelCredentials | None
    headers: Mapping[str, str]
    channel_options: Sequence[tuple[str, Any]]

    def __post_init__(self) -> None:
        for name, least in (("deadline", 0), ("retries", -1), ("max_batch", 0), ("max_in_flight", 0)):
            value = getattr(self, name)
            if value <= least:
                raise ValueError(f"{name} should be above {least}. Received: {value}")
        if self.version is not None and self.label is not None:
            raise ValueError(f"version and label should not both be given. Received: {self.version}, {self.label!r}")

    def model_spec(self) -> Message:
        """Returns the `ModelSpec` of the requests."""
        spec = protos.ModelSpec(name=self.model)
        if self.version is not None:
            spec.version.value = self.version
        elif self.label is not None:
            spec.version_label = self.label
        return spec

    def calls(self) -> Calls:
        """Returns the calls of the client."""
        return Calls(self.model_spec(), self.deadline, self.max_batch, self.signature or RAW, self.spec)
