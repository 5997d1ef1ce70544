"""The style sheet is built when it has to be, and static files change their address with their content."""

import pytest

from kontor.app.portal import assets, stylesheet
from kontor.app.portal.render import Pages


def test_the_style_sheet_is_built_once_and_then_left_alone() -> None:
    stylesheet.build()
    built = assets.BUILT.stat().st_mtime_ns

    was_needed = stylesheet.build()

    assert not was_needed
    assert assets.BUILT.stat().st_mtime_ns == built


def test_the_style_sheet_holds_our_look_and_asks_nobody() -> None:
    stylesheet.build()

    css = assets.BUILT.read_text(encoding="utf-8")

    for selector in (".btn", ".quote", ".talk", "prefers-color-scheme:dark", "@media print"):
        assert selector in css.replace(": ", ":")
    assert "http://" not in css.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in css.replace("https://tailwindcss.com", "")
    assert "@import" not in css


def test_a_static_file_has_its_version_in_its_address() -> None:
    stylesheet.build()
    pages = Pages()

    address = pages.asset("app.css")

    assert address == f"/static/app.css?v={assets.versions()['app.css']}"
    with pytest.raises(KeyError):
        pages.asset("missing.css")
