"""An application whose weave names a Wove environment and does not depend on the worker."""

from wove import weave


def monthly_report(account_ids):
    with weave() as w:

        @w.do(account_ids, environment="workers", retries=1)
        def render(item):
            return f"report of {item}"

        @w.do
        def bundle(render):
            return "\n".join(render)

    return w.result.bundle
