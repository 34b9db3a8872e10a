"""Cutting texts, and asking about them part by part."""

import random

import pytest
from streamlit.testing.v1 import AppTest
from stub import error, message

from weir_streamlit import split_text
from weir_streamlit.textsplit import tokens

ENGLISH = "The weir holds the river back. It does so only just enough!\n\nThe mill takes its share; the rest runs on."
CHINESE = "堰只是稍微拦住河水。它让水流平稳！磨坊取走它的一份，其余的继续流。"


@pytest.mark.parametrize(
    ("text", "size", "want"),
    [
        ("", 5, []),
        ("short", 100, ["short"]),
        ("One two.\n\nThree four.", 3, ["One two.\n\n", "Three four."]),
        ("One two. Three four.", 3, ["One two. ", "Three four."]),
        ("He said “no.” She left.", 7, ["He said “no.” ", "She left."]),
        ("一二三。四五六！", 4, ["一二三。", "四五六！"]),
        ("他说：“好。”她走了。", 7, ["他说：“好。”", "她走了。"]),
        ("abcdefgh", 1, ["abcd", "efgh"]),
        ("👩\u200d👩\u200d👧👩\u200d👩\u200d👧", 5, ["👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"]),
    ],
)
def test_places(text, size, want):
    assert split_text(text, size) == want


def test_nothing_is_lost_and_no_part_is_too_large():
    rng = random.Random(7)
    for _ in range(300):
        words = rng.choices(
            ["a", "weir", " ", ". ", "\n", "\n\n", "河水", "。", "，", "…", "e\u0301", "🙂"], k=rng.randrange(200)
        )
        text, size = "".join(words), rng.randrange(3, 40)
        parts = split_text(text, size)
        assert "".join(parts) == text
        assert all(0 < tokens(p) <= size for p in parts)


def test_size():
    with pytest.raises(ValueError, match="size"):
        split_text("x", 0)


SCRIPT = """
import anthropic
import streamlit as st
from weir_streamlit import split_and_ask

client = anthropic.Anthropic(base_url={url!r}, api_key="sk-ant-test", max_retries=0)
st.checkbox("something else", key="other")
result = split_and_ask(client, {text!r}, {question!r}, model="claude-sonnet-5", size={size}, lang={lang!r})
if result:
    st.markdown(result.text)
    st.caption(f"{{len(result.parts)}} parts, {{result.input_tokens}} in")
"""


def app(stub, text=ENGLISH, question="What of it?", size=10, lang="en"):
    script = SCRIPT.format(url=stub.url, text=text, question=question, size=size, lang=lang)
    return AppTest.from_string(script, default_timeout=20).run()


def asked(stub):
    return [r["messages"][0]["content"] for r in stub.requests]


@pytest.mark.parametrize(("text", "lang"), [(ENGLISH, "en"), (CHINESE, "zh")])
def test_every_part_is_asked_once_and_merged(text, lang, stub):
    parts = split_text(text, 12)
    assert len(parts) > 2
    stub.answers = [*(message(f"answer {i}") for i in range(len(parts))), message("All together.")]
    at = app(stub, text, size=12, lang=lang)
    assert not at.exception
    *single, merge = asked(stub)
    assert len(single) == len(parts)
    assert all(part in prompt for part, prompt in zip(parts, single, strict=True))
    assert all(f"answer {i}" in merge for i in range(len(parts)))
    assert "All together." in [m.value for m in at.markdown]
    assert {h["weir-class"] for h in stub.headers} == {"batch"}
    at.checkbox(key="other").check().run()
    assert len(stub.requests) == len(parts) + 1, "a rerun sent"
    assert "All together." in [m.value for m in at.markdown]


def test_a_short_text_is_one_request(stub):
    at = app(stub, "A weir.", size=100)
    assert asked(stub) == ["A weir.\n\nWhat of it?"]
    assert at.caption[0].value == "1 parts, 10 in"


def test_it_goes_on_where_it_failed(stub):
    parts = split_text(ENGLISH, 10)
    busy = error(529, "overloaded_error", "Overloaded", retry_after=0)
    stub.answers = [message("first"), busy, busy, message("ok")]
    at = app(stub)
    assert len(stub.requests) == 2
    at.checkbox(key="other").check().run()
    assert len(stub.requests) == 2, "a rerun sent what had failed"
    at.button[0].click().run()
    assert len(stub.requests) == 3, "the failed part, once"
    at.button[0].click().run()
    assert not at.exception
    assert len(stub.requests) == 2 + 1 + len(parts), "the parts that were left, and the merge"
    assert sum(parts[0] in prompt for prompt in asked(stub)) == 1, "a finished part was sent again"


def test_many_answers_are_merged_in_rounds(stub):
    text = "\n\n".join(f"Paragraph {i} of the long text." for i in range(9))
    stub.answers = [message("x" * 36)]
    at = app(stub, text, size=10)
    assert not at.exception
    merges = [p for p in asked(stub) if "<answer>" in p]
    assert len(merges) > 1
    assert "9 parts" in at.caption[0].value


def test_an_empty_text(stub):
    at = app(stub, " ")
    assert "text: is empty" in at.exception[0].value
    assert not stub.requests
