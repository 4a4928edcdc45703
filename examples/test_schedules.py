from contextlib import suppress

import payments_app
from hypothesis import Phase, given, settings

from wove_http_dev import Schedule
from wove_http_dev.strategies import schedules

# No deadline: how long a weave takes is the machine's doing. Without the phase "explain", which
# traces every line.
FEW = settings(deadline=None, max_examples=25, phases=[Phase.generate, Phase.shrink], database=None)
AT_ONCE = schedules("auth", "wire", tasks=["charge"], exclude=["slow-body", "stall-mid-body"])


@FEW
@given(schedule=AT_ONCE)
def test_nobody_pays_twice(wove_http_session_worker, schedule):
    wove_http_session_worker.reset()  # forgets the last example; far cheaper than a new worker
    payments_app.BOOKED.clear()
    with schedule.injected(wove_http_session_worker), suppress(Exception):
        payments_app.pay_once(7)
    assert len(payments_app.BOOKED) <= 1  # after the block: late runs have ended, too


def test_as_it_was_found(wove_http_worker):  # a schedule is pasted; this needs no Hypothesis
    payments_app.BOOKED.clear()
    with Schedule(["lost-response task=charge times=1"]).injected(wove_http_worker):
        payments_app.pay_once(7)
    assert payments_app.BOOKED == [7]
