"""Nobody gets a page of the desk, or records anything, without its token, or from another site."""

from collections.abc import Sequence

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from grader.desk.app import VIEWS, make_app
from grader.desk.guard import LARGEST_BODY, Door
from grader.desk.state import Desk
from grader.desk.view import View
from tests.desk.conftest import Browser
from tests.support.desk_class import PORT, a_door

PAGES = ["/", "/name", "/static/desk.js", "/static/desk.css", "/updates", "/nowhere", *(view.path for view in VIEWS)]
ORIGIN = f"http://127.0.0.1:{PORT}"


@pytest.mark.parametrize("path", PAGES)
def test_no_page_and_no_asset_without_the_token(desk: Desk, path: str) -> None:
    stranger = Browser(make_app(desk, a_door()))
    assert stranger.get(path).status_code == 403
    stranger.cookies.set(f"grader-desk-{PORT}", "guessed")
    assert stranger.get(path).status_code == 403


@pytest.mark.parametrize(
    "query", ["", "?token=", "?token=the-toke", "?token=the-token%00", "?token=é", "?Token=the-token"]
)
def test_only_the_right_token_opens_the_door(desk: Desk, query: str) -> None:
    stranger = Browser(make_app(desk, a_door()))
    answer = stranger.get(f"/enter{query}")
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_the_token_becomes_a_cookie_that_scripts_and_other_sites_do_not_get(desk: Desk) -> None:
    answer = Browser(make_app(desk, a_door())).get("/enter?token=the-token")
    attributes = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} <= attributes
    assert "the-token" not in answer.headers["set-cookie"]
    assert "the-token" not in answer.text


def test_behind_a_proxy_the_cookie_needs_https() -> None:
    door = Door(PORT, public="https://desk.example.org")
    assert door.secure
    assert "desk.example.org" in door.hosts
    assert "https://desk.example.org" in door.origins
    assert door.address.startswith("https://desk.example.org/enter?token=")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        f"evil.example:{PORT}",
        "127.0.0.1",
        f"127.0.0.1.evil.example:{PORT}",
        f"127.0.0.1:{PORT + 1}",
        "",
    ],
)
def test_other_hosts_are_refused_even_with_the_cookie(browser_client: Browser, host: str) -> None:
    assert browser_client.get("/", headers={"host": host}).status_code == 421
    assert browser_client.get("/enter?token=the-token", headers={"host": host}).status_code == 421


def test_localhost_is_the_same_host(browser_client: Browser) -> None:
    cookie = f"grader-desk-{PORT}={browser_client.cookies[f'grader-desk-{PORT}']}"
    assert browser_client.get("/", headers={"host": f"localhost:{PORT}", "cookie": cookie}).status_code == 200


@pytest.mark.parametrize("path", ["/undo", "/update", "/name", "/hold"])
@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        f"http://127.0.0.1:{PORT + 1}",
        f"https://127.0.0.1:{PORT}",
        f"{ORIGIN}.evil.example",
    ],
)
def test_posts_of_other_sites_are_refused(browser_client: Browser, path: str, origin: str) -> None:
    answer = browser_client.submit(path, {"name": "Mallory"}, origin=origin)
    assert answer.status_code == 403
    assert "Mallory" not in browser_client.get("/name").text


def test_a_post_without_an_origin_is_refused(browser_client: Browser) -> None:
    answer = browser_client.post("/undo", data={"csrf": browser_client.csrf()})
    assert answer.status_code == 403


@pytest.mark.parametrize("csrf", ["", "guessed", "the-token"])
def test_a_post_needs_the_value_that_only_the_desks_pages_have(browser_client: Browser, csrf: str) -> None:
    assert browser_client.submit("/undo", {"csrf": csrf}).status_code == 403


def test_the_value_of_one_browser_is_of_no_use_in_another(desk: Desk, door: Door) -> None:
    made = make_app(desk, door)
    mara, theo = Browser(made).enter(), Browser(made).enter()
    assert theo.submit("/undo", {"csrf": mara.csrf()}).status_code == 403
    assert theo.submit("/undo").status_code == 303


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_sites_can_embed_nothing(browser_client: Browser, site: str) -> None:
    embedded = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors"}
    assert browser_client.get("/static/desk.js", headers=embedded).status_code == 403
    opened = {"sec-fetch-site": site, "sec-fetch-mode": "navigate"}
    assert browser_client.get("/", headers=opened).status_code == 200
    framed = opened | {"sec-fetch-dest": "iframe"}
    assert browser_client.get("/", headers=framed).status_code == 403
    assert browser_client.submit("/undo", sec_fetch_site=site, sec_fetch_mode="navigate").status_code == 403


def test_only_forms_of_a_limited_size_are_read(browser_client: Browser) -> None:
    headers = {"origin": ORIGIN, "x-desk-csrf": browser_client.csrf()}
    assert browser_client.post("/undo", json={"a": 1}, headers=headers).status_code == 415
    assert browser_client.post("/undo", files={"a": b"1"}, headers=headers).status_code == 415
    assert browser_client.put("/undo", data={"a": "1"}, headers=headers).status_code == 405
    assert browser_client.post("/undo", data={"a": "x" * LARGEST_BODY}, headers=headers).status_code == 413
    many = "&".join("a=1" for _ in range(10_001))
    form = {"content-type": "application/x-www-form-urlencoded", **headers}
    assert browser_client.post("/undo", content=many, headers=form).status_code == 400
    assert browser_client.post("/undo", content=b"a=%ff", headers=form).status_code == 400
    assert browser_client.post("/undo", content="a=1", headers=form).status_code == 303


@pytest.mark.parametrize("path", [*PAGES, "/enter?token=the-token", "/enter"])
def test_every_answer_has_the_headers_that_keep_it_in_place(browser_client: Browser, path: str) -> None:
    headers = browser_client.get(path).headers
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    "name", ["..%2Fdesk%2Fbase.html.j2", "mail.css", "desk.js%00", "base.html.j2", "report.html.j2", "desk-.js"]
)
def test_only_styles_and_scripts_of_the_desk_are_assets(browser_client: Browser, name: str) -> None:
    assert browser_client.get(f"/static/{name}").status_code == 404


def test_an_error_shows_no_details_and_keeps_the_headers(desk: Desk, door: Door) -> None:
    def fails(_request: Request) -> Response:
        msg = "secret detail"
        raise ZeroDivisionError(msg)

    def routes(_desk: Desk) -> Sequence[Route]:
        return [Route("/fails", fails)]

    errors: list[Exception] = []
    app = make_app(desk, door, views=[View("fails", "Fails", "/fails", "f", routes)], on_error=errors.append)
    answer = Browser(app).enter().get("/fails")
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert "Traceback" not in answer.text
    assert "content-security-policy" in answer.headers
    assert [type(error) for error in errors] == [ZeroDivisionError]


@pytest.mark.parametrize(
    "then", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "/a\r\nx: y"]
)
def test_the_name_page_leads_only_to_pages_of_the_desk(desk: Desk, then: str) -> None:
    client = Browser(make_app(desk, a_door(name=""))).enter()
    answer = client.submit("/name", {"name": "Mara", "then": then})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_a_name_is_asked_for_before_any_page(desk: Desk) -> None:
    client = Browser(make_app(desk, a_door(name=""))).enter()
    assert client.get("/").headers["location"] == "/name?then=%2F"
    assert client.submit("/name", {"name": " "}).status_code == 400
    assert client.submit("/name", {"name": "Mara  Berg", "then": "/"}).headers["location"] == "/"
    assert "Mara Berg" in client.get("/").text


def test_two_browsers_have_two_names(desk: Desk) -> None:
    app = make_app(desk, a_door(name=""))
    mara, theo = Browser(app).enter(), Browser(app).enter()
    mara.submit("/name", {"name": "Mara"})
    theo.submit("/name", {"name": "Theo"})
    assert "Mara" in mara.get("/").text
    assert "Mara" not in theo.get("/").text
