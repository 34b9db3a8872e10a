"""The real thing: the example app and others in Chromium, with the SDK, through Weir."""

import json
import re
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
import streamlit as st
from house import EXAMPLES, eventually
from stub import error, message

COMPONENTS = hasattr(getattr(st, "components", None), "v2")
MODEL = "claude-sonnet-5"

EVENT = """
import anthropic
import streamlit as st
from weir_streamlit import friendly_errors

client = anthropic.Anthropic(max_retries=0)
st.checkbox("something else")
history = st.session_state.setdefault("history", [])

@friendly_errors()
def answer(question):
    text = client.messages.create(
        model="claude-sonnet-5", max_tokens=10, messages=[{"role": "user", "content": question}]
    ).content[0].text
    history.append(text)
    return text

for text in history:
    st.markdown(text)
if question := st.chat_input("Your question"):
    st.markdown(question)
    answer(question)
"""


@pytest.fixture
def house(run):
    """The example app, in front of Weir, in front of the simulator."""

    def start(scenario, **env):
        sim = run.sim(scenario)
        gateway = run.weir(sim.url)
        app = run.app(
            EXAMPLES / "app.py",
            {
                "ANTHROPIC_BASE_URL": gateway.url,
                "ANTHROPIC_API_KEY": "sk-ant-api03-app",
                "WEIR_ADMIN": gateway.admin,
                **env,
            },
        )
        return gateway, app

    return start


def ask(page, question):
    box = page.get_by_test_id("stChatInputTextArea")
    box.fill(question)
    box.press("Enter")


def quota(gateway):
    with urllib.request.urlopen(f"{gateway.admin}/api/v1/quota") as answer:
        return {(b["group"], b["limiter"]): b for b in json.load(answer)["buckets"]}


def shown(page):
    """The remaining levels that the component shows, by limiter."""
    gauges = page.locator(".gauge").evaluate_all("all => all.map(g => ({...g.dataset}))")
    return {(g["group"], g["limiter"]): (int(g["remaining"]), int(g["limit"])) for g in gauges}


@pytest.mark.skipif(not COMPONENTS, reason="Streamlit before 1.51 has no second version of components")
def test_the_panel_shows_the_figures_of_the_gateway(house, browse, picture):
    gateway, app = house("newcomer")
    page = browse(app.url, width=1200)
    ask(page, "What is a weir?")
    page.locator(".gauge[data-limiter=requests]").wait_for()
    page.get_by_test_id("stChatMessage").nth(1).get_by_text(re.compile(r"\w+ \w+")).first.wait_for()

    def agrees():
        before, on_page, after = quota(gateway), shown(page), quota(gateway)
        return on_page.keys() == before.keys() and all(
            limit == before[k]["limit"] and abs(remaining - after[k]["remaining"]) <= after[k]["limit"] / 20
            for k, (remaining, limit) in on_page.items()
        )

    eventually(agrees, f"the panel {shown(page)} shows {quota(gateway)}", 20)
    picture(page, "app-en")
    # It moves without anybody touching the page.
    first = page.locator(".gauge[data-limiter=requests] .when").inner_text()
    eventually(
        lambda: page.locator(".gauge[data-limiter=requests] .when").inner_text() != first, "the countdown goes on", 20
    )


@pytest.mark.skipif(not COMPONENTS, reason="Streamlit before 1.51 has no second version of components")
def test_the_panel_is_live_while_the_script_waits(house, browse, picture):
    """The sixth question of a minute waits in the queue, and its script with it."""
    gateway, app = house("newcomer")
    page = browse(app.url, width=1200)
    page.get_by_test_id("stChatInputTextArea").wait_for()
    with ThreadPoolExecutor() as others:
        done = [others.submit(request, gateway) for _ in range(6)]  # one more than there are in a minute
        page.wait_for_timeout(500)
        ask(page, "What is a weir?")
        page.locator(".lane").wait_for()
        first = shown(page)
        eventually(lambda: shown(page) != first, "the figures move", 20)
        assert is_running(page), "they moved while it waited"
        picture(page, "queue-en")
        assert all(d.result() == 200 for d in done)
    page.get_by_test_id("stChatMessageContent").nth(1).get_by_text(re.compile(r"\w+ \w+")).first.wait_for()


def request(gateway):
    """Send a request of somebody else; return its status."""
    body = {"model": MODEL, "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}
    headers = {"x-api-key": "sk-ant-api03-app", "anthropic-version": "2023-06-01", "content-type": "application/json"}
    asked = urllib.request.Request(f"{gateway.url}/v1/messages", data=json.dumps(body).encode(), headers=headers)
    with urllib.request.urlopen(asked, timeout=120) as answer:
        return answer.status


def is_running(page):
    return page.get_by_test_id("stApp").get_attribute("data-test-script-state") == "running"


def test_the_native_panel_moves_too(run, browse, tmp_path):
    sim = run.sim("newcomer")
    gateway = run.weir(sim.url)
    script = tmp_path / "panel.py"
    script.write_text(f"from weir_streamlit import quota_panel\nquota_panel({gateway.admin!r}, native=True)\n")
    app = run.app(script, {})
    page = browse(app.url)
    page.get_by_text("No figures yet").wait_for()
    request(gateway)
    page.get_by_text(re.compile(r"Requests: \d of 5 a minute")).wait_for()
    assert page.get_by_test_id("stProgress").count() == len(quota(gateway))


@pytest.mark.parametrize(("locale", "title", "button"), [("en-US", "The quota is used up", "Try again"),
                                                         ("zh-CN", "额度暂时用完了", "重试")])  # fmt: skip
def test_a_press_in_a_browser(locale, title, button, run, browse, stub, tmp_path, picture):
    """The question is an event, so that only the card knows it when the button is pressed."""
    stub.answers = [error(429, "rate_limit_error", "x", retry_after=4), error(529, "overloaded_error", "Overloaded",
                    retry_after=0), message("There you are.")]  # fmt: skip
    script = tmp_path / "event.py"
    script.write_text(EVENT)
    app = run.app(script, {"ANTHROPIC_BASE_URL": stub.url, "ANTHROPIC_API_KEY": "sk-ant-x"})
    page = browse(app.url, locale, height=560)
    ask(page, "hi")
    page.get_by_text(title).first.wait_for()
    retry = page.get_by_role("button", name=button)
    assert retry.is_disabled()
    picture(page, f"wait-{locale[:2]}")
    eventually(retry.is_enabled, "the button can be pressed when the time is up", 20)
    time.sleep(2.5)  # some more pictures of the card
    assert len(stub.requests) == 1, "the end of the countdown sent"

    retry.click()
    page.get_by_text("Anthropic is busy" if locale == "en-US" else "Anthropic 目前繁忙").wait_for()
    assert len(stub.requests) == 2, "one press, one send"
    eventually(retry.is_enabled, "the button can be pressed again", 20)
    time.sleep(1.5)
    assert len(stub.requests) == 2

    retry.click()
    page.get_by_text("There you are.").wait_for()
    retry.wait_for(state="detached")
    page.get_by_text("something else").click()
    page.wait_for_timeout(1500)
    assert len(stub.requests) == 3, "a rerun after the answer sent"
    assert page.get_by_text("There you are.").count() == 1, "the answer is kept once"


def test_the_kinds_through_weir(house, browse, picture):
    """A monthly cap, seen through Weir: no countdown of seconds, but a date and what to do."""
    _, app = house("description: capped\nfaults: [{kind: enforced_spend_limit}]\n")
    page = browse(app.url, "zh-CN", width=1200)
    ask(page, "你好")
    page.get_by_text("账号已被暂停", exact=True).wait_for()
    assert page.get_by_text("每月消费上限").first.is_visible()
    page.get_by_text("Console 的 Limits 页面").first.wait_for()
    if COMPONENTS:
        page.locator(".block", has_text="每月消费上限").wait_for()  # the panel tells it too
    picture(page, "cap-zh")


def test_without_weir_the_panel_shows_the_headers(run, browse, tmp_path):
    sim = run.sim("newcomer")
    app = run.app(
        EXAMPLES / "app.py",
        {"ANTHROPIC_BASE_URL": sim.url, "ANTHROPIC_API_KEY": "sk-ant-x", "WEIR_ADMIN": "http://127.0.0.1:9"},
    )
    page = browse(app.url, width=1200)
    page.get_by_text("does not answer").wait_for()
    ask(page, "What is a weir?")
    page.get_by_text("these are the figures of the last answer").wait_for()
    page.get_by_text(re.compile("of 5 a minute")).first.wait_for()


def test_a_long_text_through_weir(house, browse):
    _, app = house("timing: {ttft: 20ms, tokens_per_second: 5000}\n")
    page = browse(app.url, width=1200)
    page.get_by_test_id("stRadio").get_by_text("A long text").click()
    text = "\n\n".join(f"Paragraph {i} tells of the river and of the weir." * 4 for i in range(6))
    page.get_by_role("textbox", name="A long text").fill(text)
    question = page.get_by_label("What do you want to know about it?")
    question.fill("What is it about?")
    size = page.get_by_label("Tokens a part")
    size.fill("60")
    size.press("Enter")
    page.wait_for_timeout(1000)
    page.get_by_role("button", name="Ask").click()
    page.get_by_text("All 6 parts are answered").wait_for()
    page.get_by_text(re.compile(r"6 parts, \d+ tokens in")).wait_for()


@pytest.mark.skipif(not hasattr(st, "App"), reason="Streamlit before 1.58 has no handler of script errors")
def test_a_handler_for_an_unchanged_app(run, browse, stub, tmp_path):
    stub.answers = [error(529, "overloaded_error", "Overloaded")]
    script = tmp_path / "handled.py"
    script.write_text(
        "import streamlit as st\nfrom weir_streamlit import on_script_error\n"
        f"app = st.App({str(EXAMPLES / 'quickstart.py')!r}, on_script_error=on_script_error())\n"
    )
    app = run.app(script, {"ANTHROPIC_BASE_URL": stub.url, "ANTHROPIC_API_KEY": "sk-ant-x"})
    page = browse(app.url)
    ask(page, "hi")
    page.get_by_text("Anthropic is busy").wait_for()
    page.get_by_text(re.compile(r"Ask again in \d+ s")).wait_for()
    assert page.get_by_test_id("stException").count() == 0
    assert len(stub.requests) == 3, "the SDK's own tries"
