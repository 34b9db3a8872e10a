"""What people read of an answer that was made simpler."""

import pytest
from streamlit.testing.v1 import AppTest
from stub import message

from weir_streamlit import simpler
from weir_streamlit.view import view

MARK = "max_tokens+fallback; from=claude-opus-5"


@pytest.mark.parametrize(
    ("headers", "lang", "said"),
    [
        ({"weir-degraded": MARK}, "en", "shorter answers, another model. Asked for was claude-opus-5."),
        ({"Weir-Degraded": "effort; from=claude-opus-5"}, "zh", "简化：降低 effort。"),
        ({"weir-degraded": "later; from=m"}, "en", "allows: later."),
    ],
)
def test_the_mark_in_words(headers, lang, said):
    assert simpler(headers, lang).endswith(said)


def test_no_mark():
    assert simpler({}, "en") is None
    assert simpler({"weir-degraded": ""}, "en") is None
    assert simpler(object(), "en") is None


def test_a_raw_response(stub, client):
    stub.answers = [message(weir_degraded=MARK)]
    ask = {"model": "claude-opus-5", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}
    raw = client.messages.with_raw_response.create(**ask)
    assert "another model" in simpler(raw, "en")


APP = """
import anthropic
import streamlit as st
from weir_streamlit import friendly_errors, wrap

client = wrap(anthropic.Anthropic(base_url={url!r}, api_key="sk-ant-test", max_retries=0))
ask = dict(model="claude-opus-5", max_tokens=10, messages=[{{"role": "user", "content": "hi"}}])

def create():
    return client.messages.create(**ask)

{how}
"""
WAYS = {
    "block": "with friendly_errors({lang!r}, about='hi'):\n    create()",
    "decorated": "friendly_errors({lang!r})(create)()",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("lang", "said"), [("en", "This answer was made simpler"), ("zh", "这个回答按网关管理员的设置做了简化")])
def test_below_the_answer(way, lang, said, stub):
    stub.answers = [message(weir_degraded=MARK), message()]
    at = AppTest.from_string(APP.format(url=stub.url, how=WAYS[way].format(lang=lang)), default_timeout=20).run()
    assert not at.exception
    assert [c.value.startswith(said) for c in at.caption] == [True]
    at.run()
    assert not at.caption, "the next answer was as asked"


def test_the_panel():
    ladder = {
        "dry_run": False,
        "rungs": [
            {"rung": "fallback", "places": 0, "in_force": []},
            {"rung": "effort", "places": 2, "in_force": [{"class": "batch", "tenant": "ann", "model": "claude-opus-5"}]},
        ],
    }
    picture = {"at": "2027-01-15T08:00:00Z", "quota": {}, "degradation": ladder}
    said = view(picture, "en", "a")["simpler"]
    assert said == ["Answers are simpler for now: less effort (batch · ann · claude-opus-5, …)."]
    assert view(picture, "zh", "a")["simpler"][0].startswith("目前的回答会简化：降低 effort")
    assert view({**picture, "degradation": {**ladder, "dry_run": True}}, "en", "a")["simpler"] == []
    assert view({"at": picture["at"], "quota": {}}, "en", "a")["simpler"] == [], "an older gateway"


def test_the_panel_with_native_elements(monkeypatch):
    script = """
import streamlit as st
from weir_streamlit import gateway, quota_panel
gateway.picture = lambda admin: {"at": "2027-01-15T08:00:00Z", "quota": {}, "degradation": {"rungs": [
    {"rung": "trim", "places": 1, "in_force": [{"class": "normal", "model": "m"}]}]}}
quota_panel(native=True, lang="en")
"""
    real = __import__("weir_streamlit.gateway", fromlist=["picture"])
    monkeypatch.setattr(real, "picture", real.picture)  # put back what the script replaces
    at = AppTest.from_string(script, default_timeout=20).run()
    assert not at.exception
    assert "the oldest turns left out" in at.info[0].value
