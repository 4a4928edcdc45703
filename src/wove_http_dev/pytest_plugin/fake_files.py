"""Keeps certificates readable under pyfakefs, whose fixture ``fs`` replaces the file system for
every module of the process."""

from __future__ import annotations

import sys


def keep_files_real() -> None:
    """Let OpenSSL, which knows real files only, read certificates while pyfakefs's ``fs`` is in
    use.

    The modules are imported here because ``fs`` changes for good what is imported meanwhile, and
    removes it from ``sys.modules`` at its end: a second import would make other classes of faults.
    """
    import wove_http_dev.ca_bundle
    import wove_http_dev.first_certificate
    import wove_http_dev.tls
    import wove_http_dev.tls_contexts
    import wove_http_dev.worker

    pyfakefs = sys.modules.get("pyfakefs.fake_filesystem_unittest")
    if pyfakefs is not None:
        import asyncio  # noqa: F401 (what runs async tasks imports it)

        import wove_http_dev.client.urllib_opener
        import wove_http_dev.explain.report
        import wove_http_dev.faults.catalogue
        import wove_http_dev.faults.text
        import wove_http_dev.orders.order
        import wove_http_dev.runners.processes
        import wove_http_dev.strict

        pyfakefs.Patcher.SKIPMODULES.update(
            (wove_http_dev.ca_bundle, wove_http_dev.tls, wove_http_dev.tls_contexts)
        )
