"""Loads of a server: closed loops of clients that wait for their answers, and an open loop with a fixed rate."""

import dataclasses
import threading
import time
from collections.abc import Callable

import numpy as np


@dataclasses.dataclass(frozen=True)
class Latencies:
    """Latencies of the requests of a load.

    Attributes:
        seconds: Latency of each successful request, `(requests,)`.
        duration: Seconds from the first request to the last answer.
        errors: Number of requests that failed.
    """

    seconds: np.ndarray
    duration: float
    errors: int = 0

    @property
    def rate(self) -> float:
        """Successful requests per second."""
        return len(self.seconds) / self.duration if self.duration else 0.0

    def percentile(self, share: float) -> float:
        """Returns a percentile of the latencies in seconds; NaN without requests.

        Args:
            share: Percentile, from 0 to 100.
        """
        return float(np.percentile(self.seconds, share)) if len(self.seconds) else float("nan")


def closed_loop(call: Callable[[], object], clients: int, seconds: float, warm_up: int = 20) -> Latencies:
    """Measures clients each of which sends its next request when it has the answer of the last one.

    Args:
        call: Sends a request and waits for the answer; raises an error if it fails.
        clients: Number of clients, each a thread.
        seconds: Duration of the load.
        warm_up: Number of requests before it.
    """
    for _ in range(warm_up):
        call()
    latencies: list[list[float]] = [[] for _ in range(clients)]
    errors = [0] * clients
    start = time.perf_counter()
    end = start + seconds

    def run(client: int) -> None:
        now = time.perf_counter()
        while now < end:
            try:
                call()
            except Exception:
                errors[client] += 1
                now = time.perf_counter()
                continue
            before, now = now, time.perf_counter()
            latencies[client].append(now - before)

    threads = [threading.Thread(target=run, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Latencies(np.concatenate(latencies), time.perf_counter() - start, sum(errors))


def open_loop(send: Callable[[Callable[[bool], None]], None], rate: float, seconds: float) -> Latencies:
    """Measures requests that are sent at a fixed rate, whether earlier ones have been answered or not.

    The latency of a request is measured from the time at which it should be sent. A client that waits for answers sends
    no request while a server is slow, and so does not see the delay that its users would see (coordinated omission).

    Args:
        send: Sends a request without waiting, and calls the function that it is given, with whether the request
            succeeded, when it is answered.
        rate: Requests per second.
        seconds: Duration of the load.
    """
    count = max(int(rate * seconds), 1)
    latencies, errors = np.full(count, np.nan), [0]
    answered = threading.Semaphore(0)
    start = time.perf_counter() + 0.01

    def on_answer(i: int, succeeded: bool) -> None:
        if succeeded:
            latencies[i] = time.perf_counter() - start - i / rate
        else:
            errors[0] += 1
        answered.release()

    for i in range(count):
        pause = start + i / rate - time.perf_counter()
        if pause > 0:
            time.sleep(pause)
        send(lambda succeeded, i=i: on_answer(i, succeeded))  # type: ignore[misc]
    for _ in range(count):
        answered.acquire()
    return Latencies(latencies[~np.isnan(latencies)], time.perf_counter() - start, errors[0])
