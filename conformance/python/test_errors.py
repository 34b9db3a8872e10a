import time

import anthropic
import pytest
from conftest import ask, drain, gateway, new_client, text, upstream

# ContentTooLargeError is the name since 2.0.
TOO_LARGE = getattr(anthropic, "ContentTooLargeError", None) or anthropic.RequestTooLargeError
# The class of the code came with 2.0; before it, the class of the status.
CAPPED = getattr(anthropic, "EnforcedSpendLimitReachedError", anthropic.RateLimitError)


@pytest.mark.parametrize(
    ("purpose", "change", "wanted", "kind"),
    [
        pytest.param(
            "main", {"max_tokens": -1}, anthropic.BadRequestError, "invalid_request_error", id="invalid-request"
        ),
        pytest.param("main", {"messages": []}, anthropic.BadRequestError, "invalid_request_error", id="no-messages"),
        pytest.param("nobody", {}, anthropic.AuthenticationError, "authentication_error", id="bad-key"),
        pytest.param(
            "main", {"model": "claude-nonesuch-9"}, anthropic.NotFoundError, "not_found_error", id="unknown-model"
        ),
        pytest.param("main", {"system": "weir " * ((33 << 20) // 5)}, TOO_LARGE, "request_too_large", id="oversized"),
    ],
)
def test_callers_fault(purpose, change, wanted, kind):
    client, count = new_client(purpose)
    with pytest.raises(wanted) as caught:
        client.messages.create(**{**ask("Say hello."), **change})
    assert caught.value.type == kind
    assert count.sent == 1, "not retried"


@gateway
def test_529_is_absorbed():
    client, count = new_client("overload")
    assert text(client.messages.create(**ask("Say hello.")))
    assert count.sent == 1
    assert upstream("overload")["requests"] >= 2, "the overloaded ones did reach the upstream"


@gateway
@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize(
    ("purpose", "wanted", "kind", "words"),
    [
        ("cap", CAPPED, "rate_limit_error", "API usage limits"),
        ("owncap", anthropic.BadRequestError, "invalid_request_error", "API usage limits"),
        ("credit", anthropic.BadRequestError, "invalid_request_error", "credit"),
    ],
)
def test_spend_limit(purpose, wanted, kind, words, learned):
    client, count = new_client(purpose)
    began = time.monotonic()
    with pytest.raises(wanted) as caught:
        client.messages.create(**ask("Say hello."))
    assert caught.value.type == kind
    assert words in str(caught.value)
    assert count.sent == 1, "not retried"
    assert time.monotonic() - began < 5, "refused at once"


@gateway
def test_short_deadline():
    drain("short")
    client, _ = new_client("short", max_retries=0, default_headers={"weir-max-wait": "1s"})
    began = time.monotonic()
    with pytest.raises(anthropic.RateLimitError) as caught:
        client.messages.create(**ask("Say hello."))
    assert caught.value.type == "rate_limit_error"
    assert 1 <= int(caught.value.response.headers["retry-after"]) <= 60
    assert time.monotonic() - began < 5
    assert upstream("short")["requests"] == 1, "only the one that drained the quota"
