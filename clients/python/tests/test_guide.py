"""Every snippet of the guides runs, and every picture of theirs is there."""

import re
import subprocess

import pytest
import streamlit as st
from house import ROOT, weir
from streamlit.testing.v1 import AppTest
from stub import message

GUIDES = [ROOT / "docs/guides/streamlit.md", ROOT / "docs/guides/streamlit.zh-CN.md"]


def snippets(kind):
    for guide in GUIDES:
        blocks = re.findall(rf"^```{kind}\n(.*?)^```$", guide.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        for n, block in enumerate(blocks, 1):
            yield pytest.param(block, id=f"{guide.name}-{n}")


@pytest.mark.parametrize("text", list(snippets("python")))
def test_a_snippet_runs_and_is_answered(text, stub, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_BASE_URL", stub.url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test")
    stub.answers = [message("There you are.")]
    at = AppTest.from_string(text, default_timeout=30).run()
    if at.chat_input:
        at.chat_input[0].set_value("hi").run()
    assert not at.exception
    assert "There you are." in [m.value for m in at.markdown]
    assert stub.requests


@pytest.mark.skipif(not hasattr(st, "App"), reason="Streamlit before 1.58 has no handler of script errors")
@pytest.mark.parametrize("text", list(snippets("python norun")))
def test_the_handler_is_taken(text):
    names = {}
    exec(text, names)
    assert isinstance(names["app"], st.App)


@pytest.mark.parametrize("text", list(snippets("sh")))
def test_commands_are_known(text):
    for line in text.splitlines():
        name, *args = line.split()
        if name == "weir":
            subprocess.run([weir(), *args, "--help"], check=True, capture_output=True, timeout=30)
        for path in (a for a in args if a.startswith(("clients/", "./"))):
            assert (ROOT / path).exists(), line


@pytest.mark.parametrize("guide", GUIDES, ids=lambda g: g.name)
def test_links_and_pictures_are_there(guide):
    targets = re.findall(r"\]\(([^)#:]+)\)", guide.read_text(encoding="utf-8"))
    assert targets
    for target in targets:
        assert (guide.parent / target).exists(), target
    assert all(picture.stat().st_size < 200_000 for picture in (ROOT / "docs/images/streamlit").glob("*.png"))
