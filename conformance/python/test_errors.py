import re
import time
from concurrent.futures import ThreadPoolExecutor

import anthropic
import pytest
from conftest import ask, gateway, new_client, text

# ContentTooLargeError is the name since 2.0.
TOO_LARGE = getattr(anthropic, "ContentTooLargeError", None) or anthropic.RequestTooLargeError
# The class of the code came with 2.0; before it, the class of the status.
CAPPED = getattr(anthropic, "EnforcedSpendLimitReachedError", anthropic.RateLimitError)
# The upstream's words and Weir's.
SPENT = r"API usage limits|spend (cap|limit)"


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


def test_failure_mid_stream():
    """Once the client has content nobody may retry; it gets what came and a plain error."""
    client, count = new_client("main")
    headers = {"x-sim-output-tokens": "100", "x-sim-fault": "error_event@4"}
    stream = client.messages.create(**ask("Say hello.", 200), stream=True, extra_headers=headers)
    events = set()
    with pytest.raises(anthropic.APIStatusError) as caught:
        for event in stream:
            events.add(event.type)
    assert caught.value.type == "overloaded_error"
    assert "content_block_delta" in events and "message_stop" not in events
    assert count.sent == 1


@gateway
def test_529_is_absorbed():
    """The scenario answers nearly half of the requests for this model with 529."""
    n = 16
    params = {**ask("Say hello."), "model": "claude-haiku-4-5"}
    client, count = new_client("overload")
    with ThreadPoolExecutor() as pool:
        asked = [pool.submit(client.messages.with_raw_response.create, **params) for _ in range(n)]
        answers = [a.result() for a in asked]
    assert all(text(a.parse()) for a in answers)
    assert count.sent == n
    assert sum(int(a.headers["weir-attempts"]) for a in answers) > n


@gateway
@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize(
    ("purpose", "wanted", "kind", "words"),
    [
        ("cap", CAPPED, "rate_limit_error", SPENT),
        ("owncap", anthropic.BadRequestError, "invalid_request_error", SPENT),
        ("credit", anthropic.BadRequestError, "invalid_request_error", "credit"),
    ],
)
def test_spend_limit(purpose, wanted, kind, words, learned):
    client, count = new_client(purpose)
    began = time.monotonic()
    with pytest.raises(wanted) as caught:
        client.messages.create(**ask("Say hello."))
    assert caught.value.type == kind
    assert re.search(words, str(caught.value))
    assert count.sent == 1, "not retried"
    assert time.monotonic() - began < 20, "refused at once"
