from contextlib import suppress

import payments_app
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from wove_http_dev.strategies import schedules

# No deadline: how long a weave takes is the machine's doing. Without the phase "explain", which
# traces every line, it takes a second or two. The rest makes the test repeatable.
FEW = settings(
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    derandomize=True,
    database=None,
    max_examples=25,
    stateful_step_count=3,
)
# Faults with which the worker answers at once: a stall costs the executor's timeout each time.
AT_ONCE = schedules("reject-auth", "saturated", "lost-response")


def checkout(worker, pay):
    class Checkout(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            worker.reset()  # a new journal for each example, and no fault: far cheaper than a start
            payments_app.BOOKED.clear()
            self.orders = 0

        @rule(schedule=AT_ONCE)
        def customer_pays(self, schedule):
            self.orders += 1
            # After an error the customer is asked to try again later.
            with schedule.injected(worker), suppress(Exception):
                pay(self.orders)

        @invariant()
        def nobody_pays_twice(self):
            booked = payments_app.BOOKED
            assert len(booked) == len(set(booked))

    return Checkout


def test_an_application_that_pays_twice_is_found(wove_http_worker):
    machine = checkout(wove_http_worker, payments_app.pay)
    with pytest.raises(AssertionError) as found:
        run_state_machine_as_test(machine, settings=FEW)
    steps = "\n".join(found.value.__notes__)  # what pytest shows below the error
    assert "state.customer_pays(schedule=Schedule(['lost-response']))" in steps


def test_the_mended_one_pays_once(wove_http_worker):
    run_state_machine_as_test(checkout(wove_http_worker, payments_app.pay_once), settings=FEW)
