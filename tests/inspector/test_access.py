"""Who may use the control API: other origins, other hosts, wrong tokens and other media are
refused."""

from __future__ import annotations

import pytest

from tests.inspector.calls import API, TOKEN, Calls

BEARER = {"Authorization": f"Bearer {TOKEN}"}
RUNS = f"{API}/runs"


def cookie_of(api: Calls) -> str:
    """The cookie that the entry address sets, as a browser sends it."""
    return api.send("GET", f"/?token={TOKEN}").headers["set-cookie"].partition(";")[0]


def test_token(api: Calls) -> None:
    """A request with the token is answered."""
    assert api.send("GET", RUNS, BEARER).status == 200


def test_scheme_is_case_insensitive(api: Calls) -> None:
    """The name of the scheme may be in lower case (RFC 9110, 11.1)."""
    assert api.send("GET", RUNS, {"Authorization": f"bearer {TOKEN}"}).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer another"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": "Bearer gr\xf6\xdfe"},
        {"Cookie": f"wove_http_dev_0={TOKEN}"},
        {"Referer": f"http://127.0.0.1/?token={TOKEN}"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", [RUNS, "/", f"{API}/no/such", "/no-such.css"])
def test_without_the_token(api: Calls, path: str, headers: dict[str, str]) -> None:
    """Without the token in its place, each path is 401, also one that does not exist."""
    answer = api.send("GET", path, headers)
    assert (answer.status, sorted(answer.document)) == (401, ["error", "hint"])


@pytest.mark.parametrize("target", ["/", "/?token=guessed"])
def test_a_person_without_the_token_reads_a_sentence(api: Calls, target: str) -> None:
    """A browser that opens the page without the token shows what to do, and no JSON."""
    answer = api.send("GET", target, {"Accept": "text/html,*/*;q=0.8"})
    assert answer.headers["content-type"].startswith("text/plain")
    assert b"open the address that serve prints" in answer.body


def test_token_in_a_query_opens_only_the_page(api: Calls) -> None:
    """Only the entry address takes the token in its query: others may be logged somewhere."""
    assert api.send("GET", f"{RUNS}?token={TOKEN}").status == 401


def test_token_is_in_no_refusal(api: Calls) -> None:
    """A refusal does not repeat what was sent as token."""
    answer = api.send("GET", "/?token=guessed", {"Authorization": "Bearer guessed"})
    assert (answer.status, b"guessed" in answer.body) == (401, False)


def test_entry_leads_on_without_the_token(api: Calls) -> None:
    """The entry address redirects to one without the token, which leaves the address bar."""
    answer = api.send("GET", f"/?token={TOKEN}")
    assert (answer.status, answer.headers["location"]) == (303, "/")


def test_entry_sets_a_private_cookie(api: Calls) -> None:
    """The cookie is hidden from scripts and from other sites."""
    _, *attributes = api.send("GET", f"/?token={TOKEN}").headers["set-cookie"].split("; ")
    assert attributes == ["HttpOnly", "SameSite=Strict", "Path=/"]


def test_cookie_is_not_the_token(api: Calls) -> None:
    """Browsers send a cookie to every port of its host, so it does not have the token."""
    assert TOKEN not in cookie_of(api)


def test_cookie(api: Calls) -> None:
    """A request with the cookie is answered."""
    assert api.send("GET", RUNS, {"Cookie": cookie_of(api)}).status == 200


def test_cookie_beside_another_of_its_name(api: Calls) -> None:
    """A page on another port, which shares the cookies of the host, cannot lock the user out."""
    cookies = f"{cookie_of(api).partition('=')[0]}=another; {cookie_of(api)}"
    assert api.send("GET", RUNS, {"Cookie": cookies}).status == 200


def test_wrong_entry(api: Calls) -> None:
    """A wrong token sets no cookie."""
    answer = api.send("GET", "/?token=wrong")
    assert (answer.status, "set-cookie" in answer.headers) == (401, False)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_own_host(api: Calls, name: str) -> None:
    """Each name of this server is accepted in Host."""
    assert api.send("GET", RUNS, {**BEARER, "Host": f"{name}:{api.port}"}).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example:{}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:{}", "0:{}"]
)
def test_another_host(api: Calls, host: str) -> None:
    """Another name in Host is 403, which defeats DNS rebinding."""
    answer = api.send("GET", RUNS, {**BEARER, "Host": host.format(api.port)})
    assert (answer.status, "Host" in answer.error) == (403, True)


def test_another_host_of_an_absolute_target(api: Calls) -> None:
    """A name in an absolute target is checked as that of Host."""
    assert api.send("GET", f"http://evil.example:{api.port}{RUNS}", BEARER).status == 403


def test_health_of_another_host(api: Calls) -> None:
    """The check of Host holds for what needs no token, too."""
    assert api.send("GET", "/health", {"Host": "evil.example"}).status == 403


def test_own_origin(api: Calls) -> None:
    """The page's own requests are answered."""
    headers = {**BEARER, "Origin": f"http://{api.host}"}
    assert api.send("GET", RUNS, headers).status == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://{}", "", "http://{}x"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_another_origin(api: Calls, origin: str, method: str) -> None:
    """Another page's requests are 403, also one's on another port, whatever else they have."""
    headers = {
        "Cookie": cookie_of(api),
        "Origin": origin.format(api.host),
        "Content-Type": "application/json",
    }
    assert api.send(method, f"{API}/reset", headers).status == 403


@pytest.mark.parametrize(
    "media",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x"],
)
def test_write_of_another_media_type(api: Calls, media: str) -> None:
    """What a form of another page can send without asking is 415."""
    headers = {**BEARER, "Content-Type": media}
    assert api.send("POST", f"{API}/holds", headers, b'{"task": "a"}').status == 415


def test_refused_write_does_nothing(api: Calls) -> None:
    """A write that is refused has no effect."""
    headers = {**BEARER, "Content-Type": "text/plain"}
    api.send("POST", f"{API}/holds", headers, b'{"task": "a"}')
    assert api.get("/holds") == {"holds": []}


def test_write_without_a_body_nor_a_type(api: Calls) -> None:
    """A write that has nothing to say needs no Content-Type if it has the token in a header."""
    assert api.send("POST", f"{API}/reset", BEARER).status == 200


def test_cookie_write_without_a_type(api: Calls) -> None:
    """With the cookie, which a browser adds by itself, each write must be JSON."""
    assert api.send("POST", f"{API}/reset", {"Cookie": cookie_of(api)}).status == 415


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Content-Security-Policy", "default-src 'self'"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Cache-Control", "no-store"),
    ],
)
@pytest.mark.parametrize(
    "target", [RUNS, "/health", f"{API}/nothing", f"/?token={TOKEN}", "/?token=x"]
)
def test_headers_of_every_answer(api: Calls, target: str, name: str, value: str) -> None:
    """Every answer, also a refusal and a redirect, tells browsers what it must not do."""
    assert api.send("GET", target, BEARER).headers[name.lower()] == value
