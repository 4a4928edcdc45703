from wove import weave


def test_a_mapped_task_runs_once_for_each_item(wove_http_worker):
    with weave() as w:

        @w.do(range(100), environment="workers")
        def double(item):
            return item * 2

    assert w.result.double == [n * 2 for n in range(100)]
    assert len(wove_http_worker.runs["double"]) == 100
