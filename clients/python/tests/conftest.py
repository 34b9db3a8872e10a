"""What the tests share."""

import os
from pathlib import Path

import anthropic
import pytest
from house import start_app, start_sim, start_weir
from stub import Stub


@pytest.fixture
def stub():
    """The API, as the test plans it."""
    server = Stub()
    yield server
    server.close()


@pytest.fixture
def client(stub):
    """A client of the stub that does not try again by itself."""
    return anthropic.Anthropic(base_url=stub.url, api_key="sk-ant-test", max_retries=0)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """No setting of whoever runs the tests reaches them."""
    for name in [n for n in os.environ if n.startswith("ANTHROPIC_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def run(tmp_path):
    """Start programs that end with the test: ``run.sim``, ``run.weir``, ``run.app``."""
    running = _Running(tmp_path)
    yield running
    running.stop()


class _Running:
    def __init__(self, folder):
        self.folder, self.programs = folder, []

    def _keep(self, start, *args, **kwargs):
        folder = self.folder / str(len(self.programs))
        folder.mkdir()
        self.programs.append(start(folder, *args, **kwargs))
        return self.programs[-1]

    def sim(self, scenario):
        if "\n" in scenario:
            path = self.folder / f"scenario{len(self.programs)}.yaml"
            path.write_text(scenario)
            scenario = path
        return self._keep(start_sim, scenario)

    def weir(self, upstream, *args):
        return self._keep(start_weir, upstream, *args)

    def app(self, script, env):
        return self._keep(start_app, script, env)

    def stop(self):
        for program in reversed(self.programs):
            program.stop()


@pytest.fixture(scope="session")
def chromium():
    """Debian's Chromium, driven without a download."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                  "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        )  # fmt: skip
        yield browser
        browser.close()


@pytest.fixture
def browse(chromium):
    """Open pages that speak a language; they are closed with the test."""
    opened = []

    def open_page(url, locale="en-US", width=1000, height=760):
        context = chromium.new_context(locale=locale, viewport={"width": width, "height": height})
        context.set_default_timeout(60_000)
        opened.append(context)
        page = context.new_page()
        page.goto(url)
        return page

    yield open_page
    for context in opened:
        context.close()


@pytest.fixture
def picture():
    """Keep a screenshot for the documents, if WEIR_SCREENSHOTS names a folder."""

    def take(what, name, height=None):
        if not (folder := os.environ.get("WEIR_SCREENSHOTS")):
            return
        path = Path(folder) / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if height is None:
            what.screenshot(path=path)
            return
        # The top of an element, on a page that is high enough to show it.
        what.page.set_viewport_size({"width": 1000, "height": 3000})
        what.page.wait_for_timeout(500)
        box = what.bounding_box()
        what.page.screenshot(path=path, clip={**box, "height": min(height, box["height"])})

    return take
