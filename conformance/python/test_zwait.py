"""Named so that pytest collects it last: the waits run beside all other tests."""

import anthropic
import pytest
from conftest import gateway, text, upstream


@gateway
def test_short_deadline(waits):
    """refused() has also come back when it was told to, and was served."""
    was = waits["refused"].result(timeout=100)
    assert isinstance(was.error, anthropic.RateLimitError)
    assert was.error.type == "rate_limit_error"
    assert 2 <= was.after <= 60
    assert was.took < 20
    assert was.reached_upstream == 1, "only the one that drained the quota"


@gateway
@pytest.mark.parametrize("form", ["json", "sse"])
def test_held_100_seconds(form, waits):
    held = waits[f"hold_{form}"].result(timeout=200)
    assert text(held.message)
    assert 95 < held.took < 190, f"held for {held.took} s, want 95 to 190"
    assert held.sent == 1, "requests of the SDK"
    assert upstream(f"hold-{form}")["requests"] == 2, "one drained the quota, one was held"
