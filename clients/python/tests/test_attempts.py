"""Each press is one send, and no rerun for another reason is any."""

import pytest
from streamlit.testing.v1 import AppTest
from stub import error, message

BUSY = error(529, "overloaded_error", "Overloaded", retry_after=0)
LATER = error(429, "rate_limit_error", "x", retry_after=30)
CAP = error(400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.")
BAD = error(400, "invalid_request_error", "messages: [link](http://x) too <b>short</b>")

SETUP = """
import anthropic
import streamlit as st
from weir_streamlit import friendly_errors, unanswered

client = anthropic.Anthropic(base_url={url!r}, api_key="sk-ant-test", max_retries=0)
st.checkbox("something else", key="other")

def create(question):
    answer = client.messages.create(
        model="claude-sonnet-5", max_tokens=10, messages=[{{"role": "user", "content": question}}]
    )
    return answer.content[0].text
"""

# The ways to use it, each with a question that is the same in each run.
BLOCK = """
with friendly_errors({lang!r}, about="hi"):
    if "answer" not in st.session_state:
        st.session_state.answer = create("hi")
    st.markdown(st.session_state.answer)
st.markdown("the end")
"""
DECORATED = """
@friendly_errors({lang!r})
def ask(client, question):
    return create(question)

if "answer" not in st.session_state:
    if answer := ask(client, "hi"):
        st.session_state.answer = answer
st.markdown(st.session_state.get("answer", "none"))
"""
EVENT = """
question = st.chat_input("Your question") or unanswered("chat")
if question:
    with friendly_errors({lang!r}, about=question, key="chat"):
        st.markdown(create(question))
"""


def app(text, stub, lang="en"):
    return AppTest.from_string((SETUP + text).format(url=stub.url, lang=lang), default_timeout=20)


def shown(at):
    boxes = [*at.info, *at.warning, *at.error]
    return "\n".join(e.value for e in [*boxes, *at.caption, *at.markdown])


def rerun_for_other_reasons(at):
    at.run()
    at.checkbox(key="other").check().run()
    at.checkbox(key="other").uncheck().run()


@pytest.mark.parametrize("text", [BLOCK, DECORATED], ids=["block", "decorated"])
def test_a_press_sends_once_and_nothing_else_does(text, stub):
    stub.answers = [BUSY, BUSY, message("There you are.")]
    at = app(text, stub).run()
    assert not at.exception
    assert "Anthropic is busy" in shown(at)
    assert len(stub.requests) == 1
    rerun_for_other_reasons(at)
    assert len(stub.requests) == 1, "a rerun sent"
    assert "Anthropic is busy" in shown(at), "the card stays"

    at.button[0].click().run()
    assert len(stub.requests) == 2, "a press sends once"
    rerun_for_other_reasons(at)
    assert len(stub.requests) == 2, "a rerun after a press sent"

    at.button[0].click().run()
    assert len(stub.requests) == 3
    assert "There you are." in shown(at)
    assert not at.button
    rerun_for_other_reasons(at)
    assert len(stub.requests) == 3, "a rerun after the answer sent"
    assert "There you are." in shown(at)


def test_a_question_from_an_event(stub):
    stub.answers = [BUSY, message("There you are."), message("And again.")]
    at = app(EVENT, stub).run()
    at.chat_input[0].set_value("hi").run()
    assert len(stub.requests) == 1
    rerun_for_other_reasons(at)
    assert len(stub.requests) == 1
    assert "Anthropic is busy" in shown(at)
    at.button[0].click().run()
    assert len(stub.requests) == 2
    assert "There you are." in shown(at)
    rerun_for_other_reasons(at)
    assert len(stub.requests) == 2
    at.chat_input[0].set_value("hi").run()
    assert len(stub.requests) == 3, "the same question may be asked again"
    assert "And again." in shown(at)


def test_another_question_is_sent_although_one_has_failed(stub):
    stub.answers = [LATER, message("There you are.")]
    at = app(EVENT, stub).run()
    at.chat_input[0].set_value("first").run()
    at.chat_input[0].set_value("second").run()
    assert [r["messages"][0]["content"] for r in stub.requests] == ["first", "second"]
    assert "There you are." in shown(at)
    rerun_for_other_reasons(at)
    assert len(stub.requests) == 2, "the first question is over"
    assert not at.button


def test_blocks_of_the_same_page_do_not_disturb_each_other(stub):
    text = """
@friendly_errors()
def ask(question):
    return create(question)

for question in ("one", "two"):
    if question not in st.session_state:
        if answer := ask(question):
            st.session_state[question] = answer
"""
    stub.answers = [BUSY, BUSY, message()]
    at = app(text, stub).run()
    assert len(at.button) == 2
    rerun_for_other_reasons(at)
    assert len(stub.requests) == 2
    at.button[1].click().run()
    assert [r["messages"][0]["content"] for r in stub.requests] == ["one", "two", "two"]
    assert len(at.button) == 1


def test_the_button_waits_for_the_countdown(stub):
    stub.answers = [LATER]
    at = app(BLOCK, stub).run()
    assert at.button[0].disabled
    assert "You can try again in 30 s" in shown(at) or "You can try again in 29 s" in shown(at)


def test_what_asking_again_does_not_mend_has_no_button(stub):
    stub.answers = [BAD]
    at = app(BLOCK, stub).run()
    assert not at.button
    assert "cannot be answered as it is" in shown(at)
    assert "\\[link\\]\\(http" in shown(at), "the words of others are not Markdown"
    rerun_for_other_reasons(at)
    assert len(stub.requests) == 1


@pytest.mark.parametrize(
    ("lang", "answer", "title", "button"),
    [
        ("en", LATER, "The quota is used up for the moment", "Try again"),
        ("zh", LATER, "额度暂时用完了", "重试"),
        ("en", CAP, "The account is paused", "Try again"),
        ("zh", CAP, "账号已被暂停", "重试"),
        ("zh", BUSY, "Anthropic 目前繁忙", "重试"),
    ],
)
def test_languages(lang, answer, title, button, stub):
    stub.answers = [answer]
    at = app(BLOCK, stub, lang).run()
    assert title in shown(at)
    assert at.button[0].label == button


def test_a_block_ends_the_run_as_a_traceback_would(stub):
    stub.answers = [BUSY]
    at = app(BLOCK, stub).run()
    assert "the end" not in shown(at)


def test_without_about_there_is_a_card_and_no_button(stub):
    stub.answers = [LATER]
    at = app("with friendly_errors():\n    create('hi')\n", stub).run()
    assert not at.exception
    assert "Ask again in" in shown(at)
    assert not at.button


@pytest.mark.parametrize("text", ["with friendly_errors(about=1):\n    1 / 0\n",
                                  "@friendly_errors()\ndef ask():\n    1 / 0\nask()\n"])  # fmt: skip
def test_other_exceptions_pass(text, stub):
    at = app(text, stub).run()
    assert at.exception[0].value == "division by zero"


def test_a_run_that_is_broken_off_leaves_the_card(stub):
    # What another rerun breaks off has been sent, and its answer is lost: to
    # send it again is for whoever presses.
    text = """
from streamlit.runtime.scriptrunner import StopException

with friendly_errors(about="hi"):
    create("hi")
    raise StopException()
"""
    stub.answers = [BUSY, message()]
    at = app(text, stub).run()
    at.button[0].click().run()
    assert len(stub.requests) == 2
    rerun_for_other_reasons(at)
    assert len(stub.requests) == 2
    assert len(at.button) == 1


def test_in_a_form_there_is_no_button(stub):
    text = """
with st.form("f"):
    st.form_submit_button("Send")
    with friendly_errors(about=1):
        create("hi")
"""
    stub.answers = [BUSY]
    at = app(text, stub).run()
    assert not at.exception
    assert "Anthropic is busy" in shown(at)
