"""The judge of the corpus finds what it looks for."""

import pytest

from tests.hostile.judging import STEERING, page_faults

HEAD = """<!doctype html><meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'none'">"""


@pytest.mark.parametrize(
    "harmful",
    [
        "<script>alert(1)</script>",
        "<style>body {display: none}</style>",
        "<img src=x onerror=alert(1)>",
        "<svg onload='alert(1)'/>",
        "<a href='java\tscript:alert(1)'>x</a>",
        "<iframe srcdoc='x'></iframe>",
        "<form action='http://127.0.0.1'></form>",
        "<base href='http://127.0.0.1/'>",
        "<meta http-equiv='refresh' content='0;url=x'>",
        "<img src='http://127.0.0.1/p.png'>",
        "<img srcset='//127.0.0.1/p.png'>",
        "<td style='background:url(http://127.0.0.1/td)'>x</td>",
        "<div style='position: fixed; inset: 0'>x</div>",
        "<image href='http://127.0.0.1/p.svg'/>",
        "<object data='x'></object>",
    ],
)
def test_what_a_browser_could_run_or_load_is_found(harmful: str) -> None:
    assert page_faults(f"{HEAD}<p>{harmful}</p>")
    assert page_faults(f"{HEAD}<p>{harmful.replace('<', '&lt;')}</p>") == []


def test_an_ordinary_page_has_no_faults() -> None:
    page = f"{HEAD}<p><a href='https://example.org'>x</a><img src='data:image/png;base64,AA'><svg><path d='M0'/></svg>"
    assert page_faults(page) == []
    assert page_faults(page.replace("'none'", "*"))


@pytest.mark.parametrize("character", ["\x1b", "\x07", "\x9b", "\u202e", "\u2066", "\ud800", "\x00"])
def test_characters_that_steer_are_found(character: str) -> None:
    assert STEERING.search(f"a{character}b")
    assert not STEERING.search("a\tb\nä 漢 🎓")
