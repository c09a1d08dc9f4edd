"""Check the built site: links, pictures, and in Chromium what it asks for and how wide it is.

    python tools/check_site.py SITE

prints each fault and exits with 1 if there is one. Needs the extra ``test`` and Chromium.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from playwright.sync_api import Page, sync_playwright

WIDTHS = (1280, 390)  # px
CHROMIUM = "/usr/bin/chromium"


class Links(HTMLParser):
    """The links, pictures and anchors of one page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = {"", "top"}
        self.without_alt: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values.get("id", ""), values.get("name", "")}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag in ("img", "script", "source", "video", "iframe") and values.get("src"):
            self.loaded.append(values["src"])
        if tag == "link" and values.get("rel") != "canonical" and "href" in values:
            self.loaded.append(values["href"])
        if tag == "img" and not values.get("alt", "").strip():
            self.without_alt.append(values.get("src", "")[:80])


@cache
def parsed(page: Path) -> Links:
    links = Links()
    links.feed(page.read_text("utf-8"))
    return links


def faults_of(page: Path, site: Path) -> Iterator[str]:
    """Broken links, outside resources and pictures without alt text of a page."""
    found = parsed(page)
    for picture in found.without_alt:
        yield f"picture without alt text: {picture}"
    for address in found.loaded:
        if urlsplit(address).scheme in ("http", "https") or address.startswith("//"):
            yield f"asks another site for {address}"
    for address in (*found.links, *found.loaded):
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        if not target.exists() or site not in target.parents:
            yield f"broken link: {address}"
        elif target.suffix == ".html" and unquote(parts.fragment) not in parsed(target).anchors:
            yield f"no such place: {address}"


def faults_shown(page: Page, paths: list[Path], width: int) -> Iterator[tuple[Path, str]]:
    """What Chromium complains of, asks for and cannot fit into a window of this width."""
    said: list[str] = []
    page.on("console", lambda m: said.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda r: None if local(r.url) else said.append(f"asks for {r.url}"))
    for path in paths:
        page.goto(path.as_uri())
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        if wide > 0:
            said.append(f"{wide} px too wide")
        yield from ((path, f"{fault} (window of {width} px)") for fault in said)
        said.clear()


def local(address: str) -> bool:
    """Whether an address is of the site itself."""
    return urlsplit(address).scheme in ("file", "data", "blob")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path)
    site = parser.parse_args().site.resolve()
    pages = sorted(p for p in site.rglob("*.html") if "_static" not in p.parts)
    faults = [f"{p.relative_to(site)}: {fault}" for p in pages for fault in faults_of(p, site)]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for width in WIDTHS:
            page = browser.new_page(viewport={"width": width, "height": 900})
            for path, fault in faults_shown(page, pages, width):
                faults.append(f"{path.relative_to(site)}: {fault}")
        browser.close()
    print(*faults, f"{len(pages)} pages, {len(faults)} faults", sep="\n")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
