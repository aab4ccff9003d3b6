"""Tasks of the asyncio client; `blocking_facade` tests its methods with those of the blocking one."""

import asyncio
import inspect

import numpy as np
import pytest

from serving.client import AsyncTfmtlClient, TfmtlClient


def public(client_class):
    return {name: member for name, member in vars(client_class).items() if not name.startswith("_")}


def test_both_clients_have_the_same_methods():
    blocking, asynchronous = public(TfmtlClient), public(AsyncTfmtlClient)
    assert list(blocking) == list(asynchronous)
    for name, method in asynchronous.items():
        assert inspect.iscoroutinefunction(method)
        assert inspect.signature(method) == inspect.signature(blocking[name])
        first, second = (inspect.getdoc(one).splitlines()[0] for one in (method, blocking[name]))
        assert first == second
    assert inspect.signature(AsyncTfmtlClient) == inspect.signature(TfmtlClient)


def test_tasks_share_a_client(server, expected_scores):
    rows = [{"age": float(age), "city": "c2"} for age in range(64)]

    async def score():
        async with AsyncTfmtlClient(server.address, "ads") as client:
            return await asyncio.gather(*(client.predict([row]) for row in rows))

    answers = asyncio.run(score())
    np.testing.assert_allclose([answer["ctr"][0] for answer in answers], expected_scores(rows)["ctr"], rtol=1e-5)
    assert {answer.version for answer in answers} == {123}


def test_cancelled_call_sends_nothing_more():
    async def cancel():
        async with AsyncTfmtlClient("127.0.0.1:1", "ads", retries=1000) as client:
            task = asyncio.ensure_future(client.predict([{}]))
            await asyncio.sleep(0.3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert len(asyncio.all_tasks()) == 1

    asyncio.run(cancel())
