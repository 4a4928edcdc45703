import os

import pytest
from wove import weave
from wove.environment import EnvironmentExecutionError


@pytest.mark.wove_http(runner="processes", workers=1)
def test_a_task_that_ends_its_process_is_an_error(wove_http_worker):
    with weave() as w:

        @w.do(environment="workers")
        def render():
            os._exit(3)

    with pytest.raises(EnvironmentExecutionError, match="exit status 3"):
        _ = w.result.render
    assert wove_http_worker.runs["render"].last.state == "failed"
