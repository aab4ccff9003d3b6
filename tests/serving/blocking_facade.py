"""The asyncio client behind the interface of the blocking one, so that one test tests both."""

import asyncio
import inspect
import threading

from serving.client import AsyncTfmtlClient, TfmtlClient


class BlockingFacade:
    """Runs each coroutine of `AsyncTfmtlClient` in an event loop on a thread of its own."""

    def __init__(self, *args, **options):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        try:
            self._client = self._run(self._make(args, options))
        except BaseException:
            self._stop()
            raise

    async def _make(self, args, options):
        return AsyncTfmtlClient(*args, **options)

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _stop(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __getattr__(self, name):
        method = getattr(self._client, name)
        assert inspect.iscoroutinefunction(method)
        return lambda *args, **options: self._run(method(*args, **options))

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._run(self._client.close())
        self._stop()


CLIENTS = {"blocking": TfmtlClient, "asyncio": BlockingFacade}
