import asyncio

from wove import weave


async def total(numbers):
    async with weave() as w:

        @w.do(numbers, environment="workers")
        async def square(item):
            await asyncio.sleep(0)
            return item * item

        @w.do
        async def add(square):
            return sum(square)

    return w.result.add


def test_async_tasks_run_on_the_worker(wove_http_worker):
    assert asyncio.run(total(range(4))) == 14
    assert len(wove_http_worker.runs["square"]) == 4
