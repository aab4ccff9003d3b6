"""Pool with the descriptors of `serving.protos.schema`."""

from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, wrappers_pb2

from serving.protos.schema import ENUMS, MESSAGES, PACKAGES, Declaration

_Field = descriptor_pb2.FieldDescriptorProto


def _build_pool() -> Any:
    """Returns a pool that is separate from protobuf's default one, in which TensorFlow registers its messages."""
    pool = descriptor_pool.DescriptorPool()
    files = []
    for module in (any_pb2, wrappers_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
        files.append(module.DESCRIPTOR.name)
    for package in PACKAGES:
        file = descriptor_pb2.FileDescriptorProto(
            name=f"{package}.proto", package=package, syntax="proto3", dependency=files
        )
        _declare(file, package)
        pool.AddSerializedFile(file.SerializeToString())
        files.append(file.name)
    return pool


def _declare(file: Any, package: str) -> None:
    """Adds the messages and enums of a package to a file; a name behind that of a message is nested in it."""
    messages = {}
    for name, fields in MESSAGES.items():
        scope, _, short_name = name.rpartition(".")
        if scope == package:
            messages[name] = file.message_type.add(name=short_name)
        elif scope in messages:
            messages[name] = messages[scope].nested_type.add(name=short_name)
        else:
            continue
        for field, declaration in fields.items():
            _add_field(messages[name], name, field, declaration)
    for name, values in ENUMS.items():
        scope, _, short_name = name.rpartition(".")
        if scope == package or scope in messages:
            enum = (file if scope == package else messages[scope]).enum_type.add(name=short_name)
            for label, number in values.items():
                enum.value.add(name=label, number=number)


def _add_field(message: Any, full_name: str, name: str, declaration: Declaration) -> None:
    number, kind, *group = declaration
    label, _, type_name = kind.rpartition(" ")
    field = message.field.add(name=name, number=number)
    field.label = _Field.LABEL_REPEATED if label else _Field.LABEL_OPTIONAL
    if label == "map":
        entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        _add_field(entry, "", "key", (1, "string"))
        _add_field(entry, "", "value", (2, type_name))
        type_name = f"{full_name}.{entry.name}"
    if "." not in type_name:
        field.type = _Field.Type.Value(f"TYPE_{type_name.upper()}")
    else:
        field.type = _Field.TYPE_ENUM if type_name in ENUMS else _Field.TYPE_MESSAGE
        field.type_name = f".{type_name}"
    if group:
        if group[0] not in [oneof.name for oneof in message.oneof_decl]:
            message.oneof_decl.add(name=group[0])
        field.oneof_index = [oneof.name for oneof in message.oneof_decl].index(group[0])


POOL = _build_pool()
