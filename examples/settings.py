import os

import wove

wove.config(
    environments={
        "workers": {
            "executor": "https",
            "executor_config": {
                "url": os.environ["WOVE_WORKER_URL"],
                "security": "env:WOVE_WORKER_SECRET",
                "timeout": 10.0,
            },
        }
    },
    delivery_timeout=15.0,
)
