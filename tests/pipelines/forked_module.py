"""Module that a `ForkServer` runs: does what its first argument says, and prints what it was given."""

import json
import os
import signal
import sys
import time

from pipelines.terminal import run_program
from pipelines.worker_process import exit_with_parent


def main():
    action, *rest = sys.argv[1:]
    request = sys.stdin.readline()
    exit_with_parent()
    if action == "print":
        imported = "mailbox" in sys.modules  # A module that nothing else imports.
        shown = {"rest": rest, "request": request, "name": os.environ.get("NAME"), "shared": os.environ.get("SHARED")}
        print(json.dumps({**shown, "imported": imported, "server": os.getppid(), "pid": os.getpid()}))
        print("to the standard error", file=sys.stderr)
    elif action == "kill":
        print("before", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "exit":
        sys.exit(int(rest[0]))
    elif action == "raise":
        raise ValueError("not finite")
    elif action == "lines":
        for number in range(200):
            print(rest[0], number, "x" * 100)
            time.sleep(0.001)
    elif action == "wait":
        print(os.getpid(), flush=True)
        time.sleep(60)


if __name__ == "__main__":
    run_program(main)
