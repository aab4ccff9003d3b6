"""Emulation of the driver and the launcher of open-source Kubeflow Pipelines 2, with each container as a process.

As read in `backend/src/v2/driver` and `backend/src/v2/component/launcher_v2.go`: artifacts lie in an S3-compatible
store; the driver gives a step its inputs without their types, metadata as the store of metadata keeps it, and one
output more than are declared; the launcher downloads inputs, runs the command, and uploads what lies at the local paths
of the outputs, with the URIs that the step reports.
"""

import dataclasses
import json
import pathlib
import subprocess
import sys

import yaml

from transforms.storage import files

OUTPUT_FILE = "kfp_outputs/output_metadata.json"


@dataclasses.dataclass
class Emulator:
    """Kubeflow Pipelines with a store at `root` and local paths below `mounts`."""

    specification: dict
    root: str
    mounts: pathlib.Path
    environment: dict
    stored: dict = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, path, **options):
        return cls(next(yaml.safe_load_all(pathlib.Path(path).read_text())), **options)

    def run(self, run_id, parameters=None, steps=None, retries=False):
        """Runs the steps in the order of their dependencies; returns the failed one, or None, and its exit code.

        If only some steps run, the others' outputs are those of an earlier run.
        """
        dag = self.specification["root"]
        definitions = dag.get("inputDefinitions", {}).get("parameters", {})
        values = {name: one.get("defaultValue") for name, one in definitions.items()} | (parameters or {})
        self.printed = {}
        for name in steps or _ordered(dag["dag"]["tasks"]):
            attempts = 1 + (dag["dag"]["tasks"][name].get("retryPolicy", {}).get("maxRetryCount", 0) if retries else 0)
            for _ in range(attempts):
                done = self._step(name, run_id, values)
                self.printed.setdefault(name, []).append(done.stdout)
                if done.returncode == 0:
                    break
            else:
                return name, done.returncode
        return None, 0

    def _step(self, name, run_id, values):
        task = self.specification["root"]["dag"]["tasks"][name]
        component = self.specification["components"][task["componentRef"]["name"]]
        container = self.specification["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
        inputs = {
            key: self.stored[one["taskOutputArtifact"]["producerTask"]][one["taskOutputArtifact"]["outputArtifactKey"]]
            for key, one in task.get("inputs", {}).get("artifacts", {}).items()
        }
        base = f"{self.root}/{self.specification['pipelineInfo']['name']}/{run_id}/{name}"
        outputs = {
            key: {"name": key, "type": one["artifactType"], "uri": f"{base}/{key}", "metadata": {}}
            for key, one in component.get("outputDefinitions", {}).get("artifacts", {}).items()
        }
        logs = {"name": "executor-logs", "type": {"schemaTitle": "system.Artifact"}, "uri": f"{base}/executor-logs"}
        output_file = self.mounts / OUTPUT_FILE
        invocation = {
            "inputs": {
                "parameterValues": {key: _value(one, values) for key, one in task["inputs"]["parameters"].items()},
                "artifacts": {key: {"artifacts": [one]} for key, one in inputs.items()},
            },
            "outputs": {
                "artifacts": {key: {"artifacts": [one]} for key, one in {**outputs, "executor-logs": logs}.items()},
                "outputFile": str(output_file),
            },
        }
        self._clear()
        for one in inputs.values():
            self._download(one["uri"])
        done = self._execute(container, invocation)
        if done.returncode == 0:
            self._publish(name, outputs, json.loads(output_file.read_text()))
        return done

    def _execute(self, container, invocation):
        arguments = [json.dumps(invocation) if word == "{{$}}" else word for word in container["args"]]
        command = [sys.executable, *container["command"][1:], *arguments, "--mounts", str(self.mounts)]
        variables = {one["name"]: one["value"] for one in container.get("env", [])}
        environment = {**self.environment, **variables}
        return subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=self.mounts
        )

    def _publish(self, name, outputs, reported):
        self.stored[name] = {}
        for key, declared in outputs.items():
            given = reported.get("artifacts", {}).get(key, {"artifacts": [{}]})["artifacts"][0]
            uri = given.get("uri") or declared["uri"]
            assert "://" in uri, f"{name}: the launcher stops at the local path {uri}"
            self._upload(uri)
            self.stored[name][key] = {
                "name": str(len(self.stored)),
                "uri": uri,
                "type": {"instanceSchema": ""},
                "metadata": _as_stored(given.get("metadata", {})),
            }

    def _local(self, uri):
        scheme, _, rest = uri.partition("://")
        return self.mounts / scheme / rest

    def _download(self, uri):
        for name in files.files_below(uri):
            files.copy_file(f"{uri}/{name}", str(self._local(uri) / name))

    def _upload(self, uri):
        for name in files.files_below(str(self._local(uri))):
            files.copy_file(str(self._local(uri) / name), f"{uri}/{name}")

    def _clear(self):
        files.remove(str(self.mounts))
        self.mounts.mkdir()


def _ordered(tasks):
    done = []
    while len(done) < len(tasks):
        ready = [n for n, t in tasks.items() if n not in done and set(t.get("dependentTasks", [])) <= set(done)]
        assert ready, "the dependencies of the tasks should have no cycle"
        done.extend(ready)
    return done


def _value(one, values):
    return one["runtimeValue"]["constant"] if "runtimeValue" in one else values[one["componentInputParameter"]]


def _as_stored(metadata):
    """Returns metadata as the store of metadata gives it back."""

    def wrapped(value):
        if isinstance(value, dict):
            return {"struct": value}
        if isinstance(value, list):
            return {"list": value}
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value

    kept = {name: wrapped(value) for name, value in metadata.items()}
    return {**kept, "display_name": "artifact", "store_session_info": '{"Provider": "minio"}'}
