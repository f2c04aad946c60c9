"""The HTML report in a real browser: no script runs, only the page itself is fetched, and it can be read on a phone, in
the dark and on paper. The reports are those of tests/unit/audit/sample_report.h."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from browser import Browser, kinds_of_rows
from postcensus import binary
from process import MissingTool, command
from conftest import tools

KINDS = ["ordinary", "hostile", "domain", "large", "empty"]
PHONE, DESK = 360, 1280

ELEMENTS = """(() => { const all = {};
  for (const e of document.querySelectorAll('*')) all[e.localName] = (all[e.localName] || 0) + 1; return all; })()"""

ATTRIBUTES = """[...new Set([...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames()))]"""

# What a reader sees: text that is outside its page, or lies on other text.
OUTSIDE = """(() => { const bad = [];
  for (const e of document.querySelectorAll('h1,h2,h3,p,li,dt,dd,figure,svg,table.list td,table.list tbody th')) {
    const r = e.getBoundingClientRect();
    if (r.width && (r.left < -0.5 || r.right > innerWidth + 0.5) && !e.closest('.rows,.scroll')) bad.push(e.outerHTML.slice(0, 80));
  } return bad.slice(0, 5); })()"""

OVERLAPS = """(() => { const bad = [];
  const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
  const check = all => { for (let i = 0; i < all.length; ++i) for (let k = i + 1; k < all.length; ++k)
    if (meet(all[i].getBoundingClientRect(), all[k].getBoundingClientRect()))
      bad.push(all[i].textContent.slice(0, 30) + ' | ' + all[k].textContent.slice(0, 30)); };
  check([...document.querySelectorAll('main > section, header')]);
  for (const s of document.querySelectorAll('main > section')) check([...s.children].filter(e => e.getClientRects().length));
  for (const s of document.querySelectorAll('svg')) check([...s.querySelectorAll('text')]);
  for (const s of document.querySelectorAll('.legend, .figures, .charts')) check([...s.children]);
  for (const s of [...document.querySelectorAll('tr')].slice(0, 300)) check([...s.children]);
  return bad.slice(0, 5); })()"""

CUT = """(() => { const bad = [];
  for (const t of document.querySelectorAll('svg text')) {
    const box = t.getBoundingClientRect(), all = t.ownerSVGElement.getBoundingClientRect();
    if (box.left < all.left - 0.5 || box.right > all.right + 0.5 || box.bottom > all.bottom + 0.5) bad.push(t.textContent);
  } return bad; })()"""

LETTERS = """Math.min(...[...document.querySelectorAll('svg text')].map(t =>
  parseFloat(getComputedStyle(t).fontSize) * t.ownerSVGElement.getBoundingClientRect().width / t.ownerSVGElement.viewBox.baseVal.width))"""

# WCAG: the contrast of each kind of text with what lies behind it.
CONTRAST = """(() => {
  const parts = c => c.match(/[\\d.]+/g).map(Number);
  const light = c => { const [r, g, b] = c.slice(0, 3).map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b; };
  const behind = e => { for (; e; e = e.parentElement) { const c = parts(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  let worst = [99, ''];
  for (const e of [...document.querySelectorAll('main *, header *')].slice(0, 4000)) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || ['title', 'desc'].includes(e.localName)) continue;
    const style = getComputedStyle(e), a = light(parts(e.localName === 'text' ? style.fill : style.color)), b = light(behind(e));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < worst[0]) worst = [ratio, e.localName + '.' + e.className + ' ' + e.textContent.slice(0, 40)];
  } return worst; })()"""


@pytest.fixture
def page(folder: Path):
    """A function that writes one of the reports into the test's folder."""
    def write(kind: str) -> Path:
        with tools():
            program = binary().with_name("html_sample")
            if not program.exists():
                raise MissingTool(f"{program} does not exist: build it (BUILD_TESTING)")
        file = folder / f"{kind}.html"
        file.write_text(command([program, kind]).stdout, encoding="utf-8")
        return file
    return write


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_is_what_we_wrote_and_nothing_runs(browser: Browser, page, kind):
    file = page(kind)
    browser.open(file, DESK)
    elements = browser.evaluate(ELEMENTS)
    assert not elements.keys() & {"script", "img", "image", "iframe", "object", "embed", "form", "input", "a", "link", "base",
                                  "audio", "video", "foreignObject", "use", "animate", "set", "template", "button"}
    assert elements["style"] == elements["h1"] == elements["body"] == elements["main"] == 1
    # The browser finds exactly the tags that were written: nothing was mended, moved or added.
    for name in ("section", "table", "tr", "th", "td", "svg", "bdi", "p", "h2", "li", "div"):
        written = len(re.findall(f"<{name}[ >]", file.read_text(encoding="utf-8")))
        assert elements.get(name, 0) == written, name
    assert browser.evaluate("document.querySelectorAll('main > section').length") == elements["section"]
    attributes = browser.evaluate(ATTRIBUTES)
    assert not [name for name in attributes if name.startswith("on") or name in ("href", "src", "style", "xlink:href", "action")]

    # Every payload would have said so.
    assert browser.evaluate("document.title").startswith("Postcensus report: ")
    browser.evaluate("document.querySelectorAll('*').forEach(e => ['mouseover', 'click', 'focus', 'error', 'load']"
                     ".forEach(name => e.dispatchEvent(new Event(name))))")
    assert browser.evaluate("document.title").startswith("Postcensus report: ")
    assert browser.requests == [file.as_uri()]

    # And a script that did get in would be refused: the page forbids them all.
    browser.evaluate("{ const s = document.createElement('script'); s.textContent = \"document.title = 'ran'\";"
                     " document.body.append(s); document.body.setAttribute('onclick', \"document.title = 'ran'\");"
                     " document.body.click(); new Image().src = 'http://192.0.2.1/x'; }")
    assert browser.evaluate("document.title") != "ran"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [PHONE, 768, DESK])
def test_it_can_be_read_at_every_width(browser: Browser, page, kind, width):
    browser.open(page(kind), width)
    assert browser.evaluate("document.documentElement.clientWidth") == width
    assert browser.evaluate("document.documentElement.scrollWidth") == width  # it never scrolls sideways
    assert browser.evaluate(OUTSIDE) == []
    assert browser.evaluate(OVERLAPS) == []
    assert browser.evaluate(CUT) == []
    if kind != "empty":
        assert browser.evaluate(LETTERS) >= 10  # pixels


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_light_and_dark(browser: Browser, page, folder, dark):
    browser.open(page("ordinary"), DESK, dark=dark)
    red, green, blue = map(int, re.findall(r"\d+", browser.evaluate("getComputedStyle(document.body).backgroundColor"))[:3])
    assert (max(red, green, blue) < 60) if dark else (min(red, green, blue) > 200)
    ratio, where = browser.evaluate(CONTRAST)
    assert ratio >= 4.5, where
    picture = browser.screenshot(folder / f"desk-{'dark' if dark else 'light'}.png")
    assert kinds_of_rows(picture) > 200
    browser.open(page("ordinary"), PHONE, dark=dark)
    ratio, where = browser.evaluate(CONTRAST)
    assert ratio >= 4.5, where
    assert kinds_of_rows(browser.screenshot(folder / f"phone-{'dark' if dark else 'light'}.png")) > 200
    browser.open(page("empty"), PHONE, dark=dark)
    ratio, where = browser.evaluate(CONTRAST)
    assert ratio >= 4.5, where


def test_headings_and_names(browser: Browser, page):
    browser.open(page("ordinary"), DESK)
    levels = [int(level) for level in browser.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(e => e.localName[1])")]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:]))
    assert browser.evaluate("document.documentElement.lang") == "en"
    assert browser.evaluate("document.characterSet") == "UTF-8"
    assert browser.evaluate("[...document.querySelectorAll('table')].every(t => t.caption && t.tHead)")
    named = ("[...document.querySelectorAll('svg')].every(s => s.getAttribute('role') === 'img' && "
             "s.getAttribute('aria-labelledby').split(' ').every(id => document.getElementById(id).textContent))")
    assert browser.evaluate(named)
    # Right-to-left text stays where it is.
    browser.open(page("hostile"), DESK)
    assert browser.evaluate("[...document.querySelectorAll('bdi')].every(e => /isolate/.test(getComputedStyle(e).unicodeBidi))")


@pytest.mark.parametrize("kind", ["ordinary", "hostile"])
def test_it_prints(browser: Browser, page, folder, kind):
    browser.open(page(kind), DESK, dark=True)
    document = browser.print(folder / f"{kind}.pdf")
    assert document.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", document)) >= 3
    # Paper is white, whatever the screen is.
    browser.send("Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    ratio, where = browser.evaluate(CONTRAST)
    assert ratio >= 4.5, where
