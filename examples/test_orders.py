import ledger_app
import pytest


def test_the_movements_are_booked_in_any_order(wove_http_worker):
    for order in wove_http_worker.orders("move"):
        with order:
            assert ledger_app.book([100, 50, 25]) == 175


def test_a_payment_before_the_deposit_is_refused(wove_http_worker):
    balances = set()
    for order in wove_http_worker.orders("move"):  # the six orders of three runs
        with order:
            balances.add(ledger_app.book([100, -60, -30]))
    assert balances == {10, 40, 70, 100}


@pytest.mark.parametrize(("indices", "balance"), [((0, 1, 2), 10), ((1, 0, 2), 70)])
def test_as_it_was_found(wove_http_worker, indices, balance):
    with wove_http_worker.order("move", indices):
        assert ledger_app.book([100, -60, -30]) == balance
