"""What the panel makes of headers and of the gateway's figures."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import anthropic
import pytest
from streamlit.testing.v1 import AppTest
from stub import error, message

from weir_streamlit import limits, wrap
from weir_streamlit.stamp import epoch
from weir_streamlit.view import view

HEADERS = {
    "anthropic_organization_id": "org-1",
    "anthropic_ratelimit_requests_limit": 50,
    "anthropic_ratelimit_requests_remaining": 10,
    "anthropic_ratelimit_requests_reset": "2026-11-25T10:23:53Z",
    "anthropic_ratelimit_input_tokens_limit": 30000,
    "anthropic_ratelimit_input_tokens_remaining": 1000,
}

SCRIPT = """
import asyncio
import anthropic
import streamlit as st
from weir_streamlit import observe, quota_panel, wrap

ask = dict(model="claude-sonnet-5", max_tokens=10, messages=[{{"role": "user", "content": "hi"}}])
options = dict(base_url={url!r}, api_key="sk-ant-test", max_retries=0)
{how}
quota_panel(None, native=True)
"""
WAYS = {
    "wrap": "wrap(wrap(anthropic.Anthropic(**options))).messages.create(**ask)",
    "wrap, async": """
async def main():
    async with wrap(anthropic.AsyncAnthropic(**options)) as client:
        await client.messages.create(**ask)
asyncio.run(main())
""",
    "raw response": "observe(anthropic.Anthropic(**options).messages.with_raw_response.create(**ask))",
    "event hook": """
http = anthropic.DefaultHttpxClient(event_hooks={{"response": [observe]}})
anthropic.Anthropic(**options, http_client=http).messages.create(**ask)
""",
    "error": """
try:
    anthropic.Anthropic(**options).messages.create(**ask)
except anthropic.APIStatusError as refused:
    observe(refused)
""",
}


@pytest.mark.parametrize("way", WAYS)
def test_headers_of_an_answer(way, stub):
    stub.answers = [error(429, "rate_limit_error", "x", **HEADERS) if way == "error" else message(**HEADERS)]
    at = AppTest.from_string(SCRIPT.format(url=stub.url, how=WAYS[way].format()), default_timeout=20).run()
    assert not at.exception
    shown = "\n".join(e.value for e in [*at.markdown, *at.caption, *at.warning])
    assert "claude\\-sonnet\\-5" in shown
    assert "The figures of the last answer" in shown
    assert "Input tokens: less than 5 % is left" in shown.replace("\\", ""), (
        "a warning, for it is less than a twentieth"
    )
    assert len(stub.requests) == 1


def test_wrapping_twice_does_no_harm(client):
    assert wrap(wrap(client)) is client
    assert client._client.event_hooks["response"].count(limits.observe) == 1


def test_outside_of_a_session_nothing_happens(stub, client):
    stub.answers = [message(**HEADERS)]
    wrap(client).messages.create(model="m", max_tokens=1, messages=[{"role": "user", "content": "hi"}])

    async def ask():
        async with wrap(anthropic.AsyncAnthropic(base_url=stub.url, api_key="x")) as other:
            await other.messages.create(model="m", max_tokens=1, messages=[{"role": "user", "content": "hi"}])

    # In a thread of its own: the browser's driver keeps a loop running in this one.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, ask()).result()


def test_a_level_refills():
    seen = {"limiter": "input_tokens", "limit": 60000, "remaining": 1000, "observed_at": 100.0}
    level = limits._level(seen, 110.0)
    assert (level["remaining"], level["low"], level["high"]) == (11000, 10500, 11500)
    assert level["full_at"] == pytest.approx(110 + 49)
    assert limits._level(seen, 1000.0)["remaining"] == 60000


NOW = 1_800_000_000.0


def bucket(**more):
    return {
        "organization": "org-1", "workspace": "", "group": "claude-sonnet-5", "limiter": "requests", "limit": 100,
        "remaining": 50, "low": 40, "high": 60, "reserved": 2, "full_at": "2027-01-15T08:00:30.123456789Z",
        "empty_in_s": None, "source": "header", "observed_at": "2027-01-15T08:00:00Z", **more,
    }  # fmt: skip


def seen(buckets=(), keys=(), lanes=(), state="ok", at="2027-01-15T08:00:00Z", **more):
    quota = {"at": at, "buckets": list(buckets), "keys": list(keys), "state": state}
    return {"at": at, "quota": quota, "queue": {"lanes": list(lanes)}, **more}


def test_gauges():
    got = view(seen([bucket(), bucket(limiter="input_tokens", remaining=0, low=0, high=0)]), "en", "a", NOW)
    (pool,) = got["pools"]
    requests, tokens = pool["gauges"]
    assert requests["left"] == "50 of 100 a minute"
    assert requests["between"] == "between 40 and 60"
    assert requests["when"] == {"before": "full in ", "at": pytest.approx(NOW + 30.123, abs=0.01), "after": ""}
    assert (tokens["level"], tokens["when"]["before"]) == ("out", "empty")


def test_a_gateway_with_another_clock():
    got = view(seen([bucket()]), "zh", "a", NOW + 3600)
    assert got["pools"][0]["gauges"][0]["when"]["at"] == pytest.approx(NOW + 3630.123, abs=0.01)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"remaining": 19}, ["claude-sonnet-5, Requests: less than 20 % is left."]),
        ({"remaining": 4}, ["claude-sonnet-5, Requests: less than 5 % is left."]),
        ({"empty_in_s": 42.0}, ["claude-sonnet-5, Requests: empty in 42 s at this rate."]),
        ({"limit": 0, "remaining": 0}, []),
        ({}, []),
    ],
)
def test_own_warnings(more, said):
    assert view(seen([bucket(**more)]), "en", "a", NOW)["warnings"] == said


def test_the_gateways_warnings_are_shown_in_its_words():
    told = [{"text": {"en": {"message": "Nearly out.", "hint": "Wait."}, "zh": {"message": "快用完了。", "hint": ""}}}]
    assert view(seen([bucket(remaining=1)], warnings=told), "en", "a", NOW)["warnings"] == ["Nearly out. Wait."]
    assert view(seen(warnings=told), "zh", "a", NOW)["warnings"] == ["快用完了。"]
    assert view(seen(warnings=[{"kind": "new"}, "x"]), "zh", "a", NOW)["warnings"] == []


def test_blocks():
    key = {"name": "k1", "organization": "o", "state": "blocked", "block": "spend_cap", "until": "2027-02-01T00:00:00Z"}
    got = view(seen(keys=[key], state="blocked"), "en", "a", NOW)
    assert got["state"] == "blocked"
    assert "Key k1: The account has reached the monthly spend cap" in got["blocks"][0]["text"]
    assert "until 2027-02-01 00:00 UTC" in got["blocks"][0]["text"]
    ok = {"name": "k2", "state": "ok"}
    assert view(seen(keys=[key, ok], state="blocked"), "zh", "a", NOW)["state"] == "partly"
    assert view(seen(keys=[{**key, "block": "new", "until": None}]), "zh", "a", NOW)["blocks"][0]["at"] is None


def test_the_queue():
    waiter = {"tenant": "<b>ann</b>", "class": "batch", "position": 1, "eta_s": 3.0}
    lane = {
        "group": "claude-sonnet-5", "waiting": 7, "in_flight": 2, "head_in_s": 3.0, "bound_by": "input_tokens",
        "next": [waiter] * 20,
    }  # fmt: skip
    (got,) = view(seen(lanes=[lane, {"waiting": 0}]), "en", "a", NOW)["lanes"]
    assert got["text"] == "claude-sonnet-5: 7 waiting, 2 under way"
    assert got["bound"] == "bound by: Input tokens"
    assert got["head"]["at"] == NOW + 3
    assert [w["text"] for w in got["next"]] == ["1. <b>ann</b> (batch)"] * 5


@pytest.mark.parametrize(
    ("stamp", "want"),
    [("2027-01-15T08:00:00Z", NOW), ("2027-01-15T16:00:00.5+08:00", NOW + 0.5), ("0001-01-01T00:00:00Z", None),
     ("soon", None), (None, None), (7, None)],
)  # fmt: skip
def test_stamps(stamp, want):
    assert epoch(stamp) == want
