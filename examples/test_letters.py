from wove import weave


def letters(names):  # your application
    with weave() as w:

        @w.do(names, environment="workers")
        def greet(name):
            return "Dear " + name

    return w.result.greet


def test_letters(wove_http_worker):  # its test
    assert letters(["Ada", "Grace"]) == ["Dear Ada", "Dear Grace"]
    wove_http_worker.assert_ran("greet", times=2)
