from shop_app import pay, price


def test_pay(wove_http_worker):
    assert pay(7) == "order 7 is paid"


def test_price(wove_http_worker):
    assert price("tea")["cents"] == 995
