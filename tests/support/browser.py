"""The system's Chromium as tests drive it, and what a page in it can be asked.

What it loaded and complained about, what sticks out of the screen, and what stands in the way of people who cannot
see it or use no mouse.
"""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Page,
    Request,
    Response,
    async_playwright,
)

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING: Final = "The portal's tests need Chromium. As root: apt-get install -y chromium"
FLAGS: Final = (
    "--no-sandbox",  # root cannot use it
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS: Final = 30_000
RULES: Final = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa"]},
    "resultTypes": ["violations"],
}
AXE: Final = Axe().axe_script
TELL_VIOLATIONS: Final = """addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} refuses ${event.blockedURI}`))"""
STICKING_OUT: Final = """() => {
  const { scrollWidth, offsetWidth } = document.documentElement;
  if (scrollWidth <= offsetWidth) return [];
  const wide = [...document.querySelectorAll("body *")].filter(
    (one) => one.checkVisibility() && one.getBoundingClientRect().right > offsetWidth);
  return [`${scrollWidth} px of ${offsetWidth}`, ...wide.slice(0, 5).map((one) => one.cloneNode(false).outerHTML)];
}"""


def chromium() -> str:
    """The path of the system's Chromium. Without one the test is skipped; in CI it fails."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    return pytest.fail(MISSING) if os.environ.get("CI") else pytest.skip(MISSING)


@asynccontextmanager
async def open_browser(*, has_memory: bool = False) -> AsyncIterator[Browser]:
    """A Chromium without a window; it ends with the block.

    `has_memory`: it goes back to a page as the page was left, as people's browsers do and Playwright's do not. Then
    Playwright's own `go_back` waits in vain.
    """
    path, without = chromium(), ["--disable-back-forward-cache"] if has_memory else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=FLAGS, ignore_default_args=without, timeout=PATIENCE_MS
        )
        try:
            yield browser
        finally:
            await browser.close()


class Tab:
    """A page and what happened in it since it was opened."""

    def __init__(self, page: Page, home: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        """Errors of the console, of scripts and of the content security policy, and answers that failed."""
        self.foreign: list[str] = []
        """What was asked of anybody else than the portal."""
        self.posts: list[str] = []
        """The addresses of all POSTs, in their order."""
        self.dialogs: list[str] = []
        self._home = home
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._request)
        page.on("response", self._response)
        page.on("dialog", self._dialog)

    def forget(self) -> None:
        """Nothing has happened yet."""
        for known in (self.complaints, self.foreign, self.posts, self.dialogs):
            known.clear()

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def _request(self, request: Request) -> None:
        if not request.url.startswith((f"{self._home}/", "data:")):
            self.foreign.append(request.url)
        if request.method == "POST":
            self.posts.append(request.url.removeprefix(self._home))

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status} {response.url}")

    async def _dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        await dialog.dismiss()


@asynccontextmanager
async def open_visitor(
    browser: Browser, home: str, *, lang: str = "de", cookies: dict[str, str] | None = None, has_script: bool = True
) -> AsyncIterator[BrowserContext]:
    """A visitor of their own, whose browser asks for `lang` and starts with `cookies`."""
    context = await browser.new_context(
        base_url=home,
        locale={"de": "de-DE", "en": "en-GB"}[lang],
        java_script_enabled=has_script,
        reduced_motion="reduce",
    )
    try:
        context.set_default_timeout(PATIENCE_MS)
        if cookies:
            await context.add_cookies([{"name": name, "value": value, "url": home} for name, value in cookies.items()])
        await context.add_init_script(TELL_VIOLATIONS)
        yield context
    finally:
        await context.close()


@asynccontextmanager
async def open_tab(visitor: BrowserContext, home: str) -> AsyncIterator[Tab]:
    """One more tab of the visitor."""
    page = await visitor.new_page()
    try:
        yield Tab(page, home)
    finally:
        await page.close()


async def set_width(page: Page, width: int) -> None:
    """The page is drawn for a window of `width` pixels; its rules for other widths hold only from the next frame on."""
    await page.set_viewport_size({"width": width, "height": 800})
    await page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")


async def sticking_out(page: Page) -> list[str]:
    """Why the page scrolls sideways: its width, and elements that reach over the edge. Empty when it fits."""
    return await page.evaluate(STICKING_OUT)


async def barriers(page: Page) -> list[str]:
    """What axe calls serious or critical by WCAG 2 A and AA: the rule and the element, one line each."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE)
    found = await page.evaluate("async (rules) => (await axe.run(rules)).violations", RULES)
    return [
        f"{rule['id']}: {node['html'][:200]} ({node['failureSummary']})"
        for rule in found
        if rule["impact"] in {"serious", "critical"}
        for node in rule["nodes"]
    ]
