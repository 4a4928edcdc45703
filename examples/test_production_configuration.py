import wove
from wove import weave


def configure():  # the configuration block of Wove's own page, unchanged
    wove.config(
        default_environment="workers",
        environments={
            "workers": {
                "executor": "http",
                "executor_config": {
                    "url": "https://workers.internal/wove/tasks",
                    "security": "env:WOVE_WORKER_SECRET",
                    "timeout": 30.0,
                },
                "delivery_timeout": 35.0,
            }
        },
    )


def test_the_production_configuration_reaches_this_worker(wove_http_worker):
    with wove_http_worker.impersonate("https://workers.internal/wove/tasks"):
        configure()
        with weave() as w:

            @w.do(environment="workers")
            def render_report():
                return "rendered"

    assert w.result.render_report == "rendered"
