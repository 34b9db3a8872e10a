"""Named so that pytest collects it last: the waits run beside all other tests."""

import pytest
from conftest import gateway, text, upstream


@gateway
@pytest.mark.parametrize("form", ["json", "sse"])
def test_held_100_seconds(form, holds):
    held = holds[form].result(timeout=200)
    assert text(held.message)
    assert 95 < held.took < 140, f"held for {held.took} s, want about 100"
    assert held.sent == 1, "requests of the SDK"
    got = upstream(f"hold-{form}")
    assert (got["requests"], got["limited"]) == (2, 0), "one drained the quota, one was held"
