"""The documentation site: its navigation, links, search and accessibility, as built and in a real Chromium."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from starlette.staticfiles import StaticFiles

import grader
from tests.report.conftest import browser
from tests.support.accessibility import violations
from tests.support.serving import serving

__all__ = ["browser"]  # a fixture of this module too

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SETTINGS: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
LOADING = {"script": "src", "link": "href", "img": "src", "iframe": "src"}
"""Elements that a browser loads by itself, and the attribute with the address."""
KINDS = ("index", "tours/instructor", "tours/student", "python-api", "checks/index", "trust")
"""Pages with each kind of content: pictures, code, tables with and without links, and the reference of the API."""


class _Page(HTMLParser):
    """The ids, the links and the loaded files of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        self.ids |= {values[key] for key in ("id", "name") if key in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag in LOADING and LOADING[tag] in values and values.get("rel") != "canonical":
            self.loaded.append(values[LOADING[tag]])


def _files(nav: Any) -> Iterator[str]:
    """The files of a navigation, which nests lists and mappings."""
    if isinstance(nav, str):
        yield nav
    else:
        for item in nav.values() if isinstance(nav, dict) else nav:
            yield from _files(item)


def _broken(site: Path, pages: dict[Path, _Page]) -> Iterator[str]:
    """The links of a built site to a file or an anchor that does not exist."""
    for path, page in pages.items():
        for link in (*page.links, *page.loaded):
            parts = urlsplit(link)
            # The page of a wrong address is shown at any depth, so its links begin at the site's root.
            if parts.scheme or parts.netloc or path.name == "404.html":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_relative_to(site) or not target.exists():
                yield f"{path.relative_to(site)}: {link}"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
                yield f"{path.relative_to(site)}: {link} (no such anchor)"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site. The pages are copied, so that this does not touch the folder of `make site`."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(DOCS, folder / "docs")
    shutil.copy(ROOT / "mkdocs.yml", folder)
    (folder / "grader").symlink_to(ROOT / "grader")
    program = Path(sys.executable).parent / "zensical"
    done = subprocess.run(
        [program, "build", "--strict", "--clean"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower()
    return folder.resolve() / str(SETTINGS["site_dir"])


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, _Page]:
    return {path: _Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def test_the_navigation_has_every_page_of_the_documentation_once() -> None:
    listed = list(_files(SETTINGS["nav"]))
    assert sorted(listed) == sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))


@pytest.mark.parametrize("name", sorted(_files(SETTINGS["nav"])))
def test_a_page_has_one_title_then_says_what_it_is_for_and_skips_no_level(name: str) -> None:
    text = re.sub(
        r"^```.*?^```|^<!--.*?-->", "", (DOCS / name).read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    levels = [len(signs) for signs in re.findall(r"^(#+) ", text, re.MULTILINE)]
    title, first = re.split(r"\n{2,}", text)[:2]
    assert title.startswith("# ")
    assert re.match(r"[\w`*]", first), "a picture, a list, a table or a heading comes before the first paragraph"
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.slow
def test_the_built_site_has_no_broken_link_and_no_broken_anchor(site: Path, pages: dict[Path, _Page]) -> None:
    assert len(pages) > len(list(_files(SETTINGS["nav"])))
    assert list(_broken(site, pages)) == []


@pytest.mark.slow
def test_a_broken_link_is_noticed(site: Path) -> None:
    home = site / "index.html"
    page = _Page('<h2 id="start"></h2><a href="gone.html">1</a><a href="#gone">2</a><a href="#start">3</a>')
    assert list(_broken(site, {home: page})) == ["index.html: gone.html", "index.html: #gone (no such anchor)"]


@pytest.mark.slow
def test_the_site_loads_nothing_from_other_hosts(pages: dict[Path, _Page]) -> None:
    assert {link for page in pages.values() for link in page.loaded if urlsplit(link).netloc} == set()


@pytest.mark.slow
def test_the_search_finds_every_page(site: Path) -> None:
    index = json.loads((site / "search.json").read_text(encoding="utf-8"))
    found = {urlsplit(item["location"]).path for item in index["items"]}
    assert {name.removesuffix(".md") + ".html" for name in _files(SETTINGS["nav"])} - {"checks/README.html"} <= found


@pytest.mark.slow
def test_the_reference_of_the_api_has_every_public_name(site: Path, pages: dict[Path, _Page]) -> None:
    shown = {name.rpartition(".")[2] for name in pages[site / "python-api.html"].ids if name.startswith("grader.")}
    renamed = {"register_check": "check", "register_diagnostic": "diagnostic"}
    assert {renamed.get(name, name) for name in grader.__all__ if name != "__version__"} <= shown


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """The address of the built site on this machine."""
    with serving(lambda _: StaticFiles(directory=site, html=True)) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.slow
@pytest.mark.chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_and_pages_do_not_scroll_sideways(
    browser: Any, address: str, width: int, scheme: str
) -> None:
    found = {}
    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    for name in KINDS:
        page.goto(f"{address}/{name}.html", wait_until="networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found[name] = violations(page)
    page.close()
    assert found == {name: [] for name in KINDS}


@pytest.mark.slow
@pytest.mark.chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_palette_follows_the_system(browser: Any, address: str, scheme: str) -> None:
    page = browser.new_page(color_scheme=scheme)
    page.goto(f"{address}/index.html")
    red = int(page.evaluate("getComputedStyle(document.body).backgroundColor").strip("rgb()").split(",")[0])
    assert (red > 200) == (scheme == "light")
    page.close()


@pytest.mark.slow
@pytest.mark.chromium
@pytest.mark.parametrize("word", ["worksheet", "dropout"])
def test_a_word_typed_into_the_search_leads_to_a_page_with_it(browser: Any, address: str, word: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}/index.html", wait_until="networkidle")
    page.keyboard.press("Control+k")
    page.keyboard.type(word)
    # Results are links that highlight the word on the page.
    page.locator(f"a[href*='?h={word}']").first.click()
    page.wait_for_url(lambda url: urlsplit(url).path != "/index.html")
    assert word in page.inner_text("article").lower()
    page.close()


@pytest.mark.slow
@pytest.mark.chromium
def test_commands_are_copied_without_their_prompt(browser: Any, address: str) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"{address}/index.html", wait_until="networkidle")
    page.locator(".md-code__button").first.click()
    page.wait_for_function("navigator.clipboard.readText().then(text => text.startsWith('make demo'))")
    context.close()


@pytest.mark.slow
@pytest.mark.chromium
def test_the_site_opens_from_a_folder_and_asks_no_other_host(browser: Any, site: Path) -> None:
    page = browser.new_page()
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((site / "index.html").as_uri(), wait_until="networkidle")
    page.locator("article").get_by_role("link", name="For instructors").click()
    page.wait_for_url("**/tours/instructor.html")
    assert page.evaluate("[...document.querySelectorAll('article img')].every(i => i.complete && i.naturalWidth > 0)")
    page.keyboard.press("Control+k")
    page.keyboard.type("desk")  # needs a web server, but does not ask another one
    page.wait_for_load_state("networkidle")
    assert errors == []
    assert [url for url in asked if not url.startswith(("file://", "data:"))] == []
    page.close()
