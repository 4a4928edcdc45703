import pytest


@pytest.fixture(scope="session")
def wove_http_options():  # the defaults of every wove_http_worker below this directory
    return {"timeout": 5.0, "delivery_timeout": 8.0}
