"""What each failure of the real SDK is taken for."""

import anthropic
import pytest
from stub import broken_stream, error

from weir_streamlit import classify

NOW = 1_800_000_000.0  # 2027-01-15
FEBRUARY = 1_801_440_000.0


def ask(client):
    return client.messages.create(model="claude-sonnet-5", max_tokens=10, messages=[{"role": "user", "content": "hi"}])


def failure(client, call=ask):
    with pytest.raises(anthropic.APIError) as caught:
        call(client)
    return caught.value


def weir(scope, who="wait", **more):
    return {"scope": scope, "who": who, "limit": None, "retry_at": None, "hint": "Do this.", **more}


CAPPED = "You have reached your API usage limits: your organization has crossed its monthly API usage threshold."
REGAIN = " You will regain access on 2027-02-01 at 00:00 UTC."
OWN = "You have reached your specified API usage limits." + REGAIN
WORKSPACE = "You have reached your specified workspace API usage limits." + REGAIN
RATE = "This request would exceed your organization's rate limit of 5 requests per minute (org: x, model: y)."
RAMP = "This would exceed the maximum usage increase rate for input tokens per minute."

CASES = {
    "rate limit, with a time": (error(429, "rate_limit_error", RATE, retry_after=7), "wait", "rate_limit", 7),
    "rate limit, with a precise time": (
        error(429, "rate_limit_error", RATE, retry_after_ms=1500),
        "wait",
        "rate_limit",
        1.5,
    ),
    "rate limit, without a time": (error(429, "rate_limit_error", RATE), "wait", "rate_limit", 12),
    "ramp by code": (error(429, "rate_limit_error", "x", "ramp_limit_exceeded", retry_after=9), "wait", "ramp", 9),
    "ramp by message": (error(429, "rate_limit_error", RAMP, retry_after=9), "wait", "ramp", 9),
    "concurrency": (
        error(429, "rate_limit_error", "Number of concurrent connections has exceeded your rate limit."),
        "wait",
        "concurrency",
        12,
    ),
    "tier cap": (
        error(429, "rate_limit_error", CAPPED + REGAIN, "enforced_spend_limit_reached"),
        "cap",
        "spend_cap",
        None,
    ),
    "tier cap by message alone": (error(429, "rate_limit_error", CAPPED), "cap", "spend_cap", None),
    "contract cap": (error(429, "rate_limit_error", "x", "contract_spend_limit_reached"), "cap", "contract_cap", None),
    "own limit is a 400": (error(400, "invalid_request_error", OWN), "cap", "own_limit", None),
    "own limit with retry-after": (
        error(429, "rate_limit_error", WORKSPACE, retry_after=3600),
        "cap",
        "workspace_limit",
        None,
    ),
    "no credit is a 400": (
        error(400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
        "cap",
        "no_credit",
        None,
    ),
    "payment": (error(402, "billing_error", "x"), "cap", "no_credit", None),
    "disabled": (error(400, "invalid_request_error", "This organization has been disabled."), "cap", "disabled", None),
    "on hold": (error(400, "invalid_request_error", "x", "organization_on_hold"), "cap", "on_hold", None),
    "overloaded": (error(529, "overloaded_error", "Overloaded"), "busy", "overloaded", 12),
    "overloaded, with a time": (error(529, "overloaded_error", "Overloaded", retry_after=3), "busy", "overloaded", 3),
    "internal": (error(500, "api_error", "Internal server error"), "busy", "server_error", 12),
    "timeout": (error(504, "timeout_error", "x"), "busy", "timeout", 12),
    "no JSON": ((502, {"content-type": "text/html"}, b"<h1>Bad gateway</h1>"), "busy", "server_error", 12),
    "bad request": (error(400, "invalid_request_error", "max_tokens: too small"), "request", "bad_request", None),
    "prompt too long": (
        error(400, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"),
        "request",
        "too_long",
        None,
    ),
    "too large": (error(413, "request_too_large", "x"), "request", "too_large", None),
    "bad key": (error(401, "authentication_error", "invalid x-api-key"), "request", "bad_key", None),
    "unknown model": (error(404, "not_found_error", "model: x"), "request", "not_found", None),
    "unknown code": (error(429, "rate_limit_error", "x", "brand_new", retry_after=4), "wait", "rate_limit", 4),
    "weir: quota": (
        error(429, "rate_limit_error", "m", "wait_deadline", weir("temporary", limit="requests"), retry_after=5),
        "wait",
        "rate_limit",
        5,
    ),
    "weir: quota, by its time": (
        error(429, "rate_limit_error", "m", "wait_deadline", weir("temporary", retry_at="2027-01-15T08:01:40Z"),
              date="Fri, 15 Jan 2027 08:00:00 GMT"),
        "wait",
        "rate_limit",
        100,
    ),
    "weir: a gateway whose clock is an hour late": (
        error(429, "rate_limit_error", "m", "queue_full", weir("temporary", retry_at="2027-01-15T07:00:30Z"),
              date="Fri, 15 Jan 2027 07:00:00 GMT"),
        "wait",
        "rate_limit",
        30,
    ),
    "weir: overloaded": (
        error(529, "overloaded_error", "m", "upstream_overloaded", weir("temporary", "anthropic")),
        "busy",
        "overloaded",
        12,
    ),
    "weir: unreachable": (
        error(502, "api_error", "m", "upstream_unavailable", weir("temporary", "anthropic"), retry_after=8),
        "busy",
        "server_error",
        8,
    ),
    "weir: account": (
        error(429, "rate_limit_error", "m", "enforced_spend_limit_reached",
              weir("account", "admin", retry_at="2027-02-01T00:00:00Z")),
        "cap",
        "spend_cap",
        None,
    ),
    "weir: never fits": (
        error(413, "request_too_large", "m", "request_exceeds_quota", weir("request", "you")),
        "request",
        "too_large",
        None,
    ),
    "weir: token": (
        error(401, "authentication_error", "m", "bad_gateway_token", weir("gateway", "you")),
        "gateway",
        "gateway",
        None,
    ),
    "weir: a code of later": (
        error(429, "rate_limit_error", "m", "brand_new", weir("account", "admin")),
        "cap",
        "disabled",
        None,
    ),
    "weir: draining": (
        error(503, "api_error", "m", "draining", weir("gateway"), retry_after=2),
        "gateway",
        "gateway",
        2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_kinds(name, stub, client):
    answer, kind, reason, wait = CASES[name]
    stub.answers = [answer]
    fault = classify(failure(client), now=NOW)
    got = (fault.kind, fault.reason, fault.retry_at and fault.retry_at - NOW)
    assert got == (kind, reason, wait and pytest.approx(wait))
    for lang in ("en", "zh"):
        assert fault.said(lang)
        assert fault.advice(lang)
        assert "{" not in fault.said(lang) + fault.advice(lang)


@pytest.mark.parametrize(
    ("kind_of_error", "kind", "reason"),
    [
        ("overloaded_error", "busy", "overloaded"),
        ("api_error", "busy", "server_error"),
        ("rate_limit_error", "wait", "rate_limit"),
        ("unheard_of", "busy", "server_error"),
    ],
)
def test_in_the_middle_of_a_stream(kind_of_error, kind, reason, stub, client):
    stub.answers = [broken_stream(kind_of_error, "Overloaded")]

    def read(client):
        with client.messages.stream(
            model="claude-sonnet-5", max_tokens=10, messages=[{"role": "user", "content": "hi"}]
        ) as stream:
            stream.until_done()

    raised = failure(client, read)
    assert raised.status_code == 200
    fault = classify(raised, now=NOW)
    assert (fault.kind, fault.reason, fault.in_stream) == (kind, reason, True)
    assert fault.retry_at == NOW + 12


def test_a_retry_after_on_a_200_means_nothing(stub, client):
    stub.answers = [
        (200, {"content-type": "text/event-stream", "retry-after": "50"}, broken_stream("api_error", "x")[2])
    ]

    def read(client):
        list(
            client.messages.create(model="m", max_tokens=10, messages=[{"role": "user", "content": "hi"}], stream=True)
        )

    assert classify(failure(client, read), now=NOW).retry_at == NOW + 12


def test_dates_of_caps(stub, client):
    stub.answers = [error(429, "rate_limit_error", CAPPED, "enforced_spend_limit_reached")]
    fault = classify(failure(client), now=NOW)
    assert fault.until == FEBRUARY, "the first of the next month in UTC where the message names no day"
    assert "2027-02-01 00:00 UTC" in fault.said("en")
    assert "2027-02-01 00:00 UTC" in fault.said("zh")
    stub.answers = [error(400, "invalid_request_error", OWN.replace("02-01", "03-05"))]
    assert "2027-03-05" in classify(failure(client), now=NOW).said("zh")


def test_nobody_answers():
    client = anthropic.Anthropic(base_url="http://127.0.0.1:9", api_key="x", max_retries=0)
    fault = classify(failure(client), now=NOW)
    assert (fault.kind, fault.reason, fault.host) == ("busy", "unreachable", "127.0.0.1:9")
    assert "127.0.0.1:9" in fault.said("zh")


def test_weir_is_quoted_in_its_own_language_only(stub, client):
    stub.answers = [error(429, "rate_limit_error", "额度不够。", "wait_deadline", weir("temporary", hint="请稍等。"))]
    fault = classify(failure(client), now=NOW)
    assert (fault.said("zh"), fault.advice("zh")) == ("额度不够。", "请稍等。")
    assert fault.said("en").startswith("More was asked")


def test_waits_grow_where_nobody_says_how_long(stub, client):
    stub.answers = [error(529, "overloaded_error", "Overloaded")]
    raised = failure(client)
    assert [classify(raised, tries, NOW).retry_at - NOW for tries in (1, 2, 3, 4, 9)] == [12, 24, 48, 60, 60]


def test_other_exceptions_are_none_of_ours():
    assert classify(ValueError("x")) is None
    assert classify(KeyError("status_code")) is None
