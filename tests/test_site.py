"""The documentation site: every page is in its navigation, and the built pages have no broken link."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml

import grader

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SETTINGS: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
LOADING = {"script": "src", "link": "href", "img": "src", "iframe": "src"}
"""Elements that a browser loads by itself, and the attribute with the address."""


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
