"""Server on this machine that answers as the REST API v2beta1 of Kubeflow Pipelines does."""

import contextlib
import http.server
import json
import threading
import urllib.parse

PREFIX = "/apis/v2beta1/"


class PipelinesServer(http.server.ThreadingHTTPServer):
    """Server with experiments, runs and schedules in its memory.

    `states` are the answers about a run, one for each request: pairs of the state of the run and those of its tasks.
    `failures` are status codes with which the next requests about a run are answered instead. With a `page`, every
    request is answered with it, as by a proxy where the user has to log in. `error` is the answer to new runs.
    """

    def __init__(self, token=None, multi_user=False):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.token, self.multi_user = token, multi_user
        self.experiments = [{"experiment_id": "e1", "display_name": "Default"}]
        self.runs, self.schedules, self.requests, self.paths = [], [], [], []
        self.states, self.failures = [("SUCCEEDED", {})], []
        self.error, self.page = None, None

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer("GET")

    def do_POST(self):
        self.answer("POST")

    def do_DELETE(self):
        self.answer("DELETE")

    def log_message(self, *arguments):
        pass

    def answer(self, method):
        url = urllib.parse.urlparse(self.path)
        query = {name: values[0] for name, values in urllib.parse.parse_qs(url.query).items()}
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
        resource, _, name = url.path.partition(PREFIX)[2].partition("/")
        self.server.paths.append(url.path)
        self.server.requests.append((method, resource, name, query))
        if self.server.page:
            return self.send(200, self.server.page)
        if self.server.token and self.headers.get("Authorization") != f"Bearer {self.server.token}":
            return self.send(401, {"code": 16, "message": "Unauthenticated: no valid token\n in the request"})
        status, answer = getattr(self, f"{method.lower()}_{resource}")(name, query, body)
        return self.send(status, answer)

    def send(self, status, answer):
        text = (answer if answer is self.server.page else json.dumps(answer)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if answer is self.server.page else "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def get_healthz(self, name, query, body):
        return 200, {"multi_user": self.server.multi_user}

    def get_experiments(self, name, query, body):
        if self.server.multi_user and not query.get("namespace"):
            return 400, {"message": "Invalid input error: namespace is empty"}
        return 200, {"experiments": _selected(self.server.experiments, query)}

    def post_experiments(self, name, query, body):
        self.server.experiments.append({**body, "experiment_id": f"e{len(self.server.experiments) + 1}"})
        return 200, self.server.experiments[-1]

    def post_runs(self, name, query, body):
        if self.server.error:
            return self.server.error
        self.server.runs.append({**body, "run_id": f"r{len(self.server.runs) + 1}"})
        return 200, self.server.runs[-1]

    def get_runs(self, name, query, body):
        if self.server.failures:
            return self.server.failures.pop(0), {"message": "upstream is away"}
        state, tasks = self.server.states.pop(0) if len(self.server.states) > 1 else self.server.states[0]
        details = [{"display_name": one, **task} for one, task in tasks.items()]
        error = {"error": {"code": 2, "message": "the step\nwas refused"}} if state == "FAILED" else {}
        return 200, {"run_id": name, "state": state, "run_details": {"task_details": details}, **error}

    def get_recurringruns(self, name, query, body):
        own = [one for one in self.server.schedules if one["experiment_id"] == query["experiment_id"]]
        return 200, {"recurringRuns": _selected(own, query)}

    def post_recurringruns(self, name, query, body):
        if self.server.error:
            return self.server.error
        self.server.schedules.append({**body, "recurring_run_id": f"s{len(self.server.requests)}"})
        return 200, self.server.schedules[-1]

    def delete_recurringruns(self, name, query, body):
        self.server.schedules = [one for one in self.server.schedules if one["recurring_run_id"] != name]
        return 200, {}


def _selected(found, query):
    if "filter" not in query:
        return found
    (predicate,) = json.loads(query["filter"])["predicates"]
    assert predicate["operation"] == 1
    return [one for one in found if one[predicate["key"]] == predicate["stringValue"]]


@contextlib.contextmanager
def pipelines_server(**options):
    """Yields a server that runs in a thread."""
    with PipelinesServer(**options) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
