"""Invocations of the launcher and of `kfp.local`, as TFX reads them; URIs of the store in what a step reports."""

import copy

import pytest

from pipelines.kubeflow.invocation import local_invocation, local_path, output_paths, stored_output

EXAMPLES = {"artifactType": {"instanceSchema": "title: tfx.Examples\ntype: object\n"}}
MODEL = {"artifactType": {"instanceSchema": "title: tfx.Model\ntype: object\n"}}
METADATA = {
    "split_names": '["train"]',
    "span": 3.0,
    "nested": {"struct": {"a": 1.0}},
    "names": {"list": ["a", "b"]},
    "plain": {"a": 1.0, "b": 2.0},
    "display_name": "examples",
    "store_session_info": "{}",
}


def invocation(store):
    return {
        "inputs": {
            "parameterValues": {"root": store},
            "artifacts": {
                "examples": {
                    "artifacts": [
                        {"name": "7", "uri": f"{store}/e", "type": {"instanceSchema": ""}, "metadata": METADATA}
                    ]
                }
            },
        },
        "outputs": {
            "outputFile": "/tmp/kfp_outputs/output_metadata.json",
            "artifacts": {
                "model": {"artifacts": [{"name": "model", "uri": f"{store}/m", "type": {"schemaTitle": "x"}}]},
                "executor-logs": {
                    "artifacts": [{"name": "logs", "uri": f"{store}/l", "type": {"schemaTitle": "system.Artifact"}}]
                },
            },
        },
    }


def localized(store, mounts="/"):
    specs = {"artifacts": {"examples": EXAMPLES}}, {"artifacts": {"model": MODEL}}
    given = invocation(store)
    before = copy.deepcopy(given)
    local = local_invocation(given, *specs, mounts)
    assert given == before
    return local


def test_inputs_have_their_types_and_plain_metadata():
    (examples,) = localized("s3://bucket/runs")["inputs"]["artifacts"]["examples"]["artifacts"]
    assert examples["type"] == EXAMPLES["artifactType"]
    assert examples["metadata"] == {
        "split_names": '["train"]',
        "span": 3.0,
        "nested": {"a": 1.0},
        "names": ["a", "b"],
        "plain": {"a": 1.0, "b": 2.0},
    }


def test_undeclared_outputs_are_left_out():
    outputs = localized("s3://bucket/runs")["outputs"]
    assert set(outputs["artifacts"]) == {"model"}
    assert outputs["artifacts"]["model"]["artifacts"][0]["type"] == MODEL["artifactType"]


@pytest.mark.parametrize(
    ("store", "folder"),
    [
        ("s3://bucket/runs", "/s3/bucket/runs"),
        ("minio://bucket/runs", "/minio/bucket/runs"),
        ("gs://bucket/runs", "/gcs/bucket/runs"),
        ("/volume/runs", "/volume/runs"),
        ("abfs://container/runs", "abfs://container/runs"),
    ],
)
def test_paths_are_those_of_the_launcher_and_reported_uris_those_of_the_store(store, folder):
    local = localized(store)
    assert output_paths(local) == [f"{folder}/m"]
    assert local["inputs"]["artifacts"]["examples"]["artifacts"][0]["uri"] == f"{folder}/e"
    assert local["inputs"]["parameterValues"]["root"] == store
    reported = {"artifacts": {"model": {"artifacts": [{"uri": f"{folder}/m", "metadata": {"a": 1}}]}}}
    stored = stored_output(reported, invocation(store))
    assert stored["artifacts"]["model"]["artifacts"] == [{"uri": f"{store}/m", "metadata": {"a": 1}}]


def test_the_launcher_may_place_files_below_another_folder():
    assert local_path("s3://b/k", "/work") == "/work/s3/b/k"
    assert output_paths(localized("s3://bucket/runs", "/work")) == ["/work/s3/bucket/runs/m"]


def test_uris_are_kept_for_workers_on_other_machines():
    assert output_paths(localized("gs://bucket/runs", None)) == ["gs://bucket/runs/m"]


def test_a_step_without_inputs():
    outputs = {"artifacts": {}, "outputFile": "o"}
    assert local_invocation({"inputs": {}, "outputs": outputs}, {}, {})["outputs"] == outputs
