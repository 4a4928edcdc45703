"""``doctor``'s checks of proxies and trusted CAs."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest

from tests.explain.conftest import Diagnose, MakeSettings
from tests.explain.helpers import environment
from tests.support import MakeWorker
from wove_http_dev.explain.findings import Problem
from wove_http_dev.explain.network_checks import certificates, proxy, trusting_file
from wove_http_dev.tls import CertificateAuthority

pytestmark = pytest.mark.usefixtures("clean_environ")
FAR = "https://workers.internal/wove/tasks"


def test_proxy_before_loopback(
    diagnose: Diagnose, settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that urllib uses for loopback is the one problem; its password is not shown."""
    monkeypatch.setenv("HTTP_PROXY", "http://me:hidden@proxy.invalid:3128")
    done = diagnose(settings())
    ((check, text),) = done.problems.items()
    assert (check, "export no_proxy=localhost NO_PROXY=localhost" in text) == ("proxy", True)
    assert "hidden" not in done.out


def test_proxy_bypassed(
    diagnose: Diagnose, settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ``no_proxy`` it is right."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
    monkeypatch.setenv("no_proxy", "localhost")
    assert diagnose(settings()).status == 0


@pytest.mark.parametrize(
    ("url", "address", "words"),
    [
        (FAR, "socks5://proxy.invalid:1080", "SOCKS"),
        ("http://workers.internal/", "http://proxy.invalid:3128", "can read tasks and results"),
    ],
)
def test_unfit_proxy(monkeypatch: pytest.MonkeyPatch, url: str, address: str, words: str) -> None:
    """A proxy that urllib cannot use, or that sees the tasks, is a problem."""
    monkeypatch.setenv(f"{url.partition(':')[0]}_proxy", address)
    with pytest.raises(Problem, match=words):
        proxy(environment(url))


def test_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy before an https worker elsewhere is named, and is no problem by itself."""
    monkeypatch.setenv("https_proxy", "http://proxy.invalid:3128")
    assert "(https_proxy) is asked for a tunnel" in proxy(environment(FAR))


def test_proxy_of_an_installed_opener(monkeypatch: pytest.MonkeyPatch) -> None:
    """An opener that the application has installed has its own proxies."""
    handler = urllib.request.ProxyHandler({"https": "http://proxy.invalid:3128"})
    monkeypatch.setattr(urllib.request, "_opener", urllib.request.build_opener(handler))
    assert "(the system's settings)" in proxy(environment(FAR))


def test_opener_without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """One without a proxy uses none, whatever the variables say."""
    monkeypatch.setenv("https_proxy", "http://proxy.invalid:3128")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    monkeypatch.setattr(urllib.request, "_opener", opener)
    assert proxy(environment(FAR)) == "none"


@pytest.mark.parametrize(
    ("variable", "file", "words"),
    [
        ("SSL_CERT_FILE", "absent.pem", "No such file"),
        (
            "SSL_CERT_FILE",
            "empty.pem",
            "no certificate in PEM: no worker is trusted; name another file",
        ),
        ("SSL_CERT_DIR", "absent", "not a directory"),
    ],
)
def test_certificates(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, file: str, words: str
) -> None:
    """A file of CAs that cannot be used, about which OpenSSL is silent, is a problem."""
    (tmp_path / "empty.pem").write_text("")
    monkeypatch.setenv(variable, str(tmp_path / file))
    with pytest.raises(Problem, match=words):
        certificates(environment())


def test_right_certificates(
    monkeypatch: pytest.MonkeyPatch, wove_http_ca: CertificateAuthority
) -> None:
    """A file with a certificate is right."""
    monkeypatch.setenv("SSL_CERT_FILE", wove_http_ca.cert_file)
    assert "(SSL_CERT_FILE) are trusted" in certificates(environment())


def test_missing_file_is_the_one_problem(
    diagnose: Diagnose,
    settings: MakeSettings,
    make_worker: MakeWorker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With it nothing is sent, because the handshake would fail for the same reason."""
    monkeypatch.setenv("SSL_CERT_FILE", "/absent.pem")
    done = diagnose(settings(config={"url": make_worker().url}))
    assert [*done.problems] == ["certificates"]


def test_trusting_file(
    make_worker: MakeWorker, wove_http_ca: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of another program's variable is found if it would do."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", wove_http_ca.cert_file)
    found = trusting_file(environment(make_worker().url), None, 5.0)
    assert found == (wove_http_ca.cert_file, "REQUESTS_CA_BUNDLE")


def test_no_trusting_file(make_worker: MakeWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that would not do is not named."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/absent.pem")
    assert trusting_file(environment(make_worker().url), None, 5.0) is None
