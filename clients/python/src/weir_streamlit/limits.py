"""What the rate-limit headers of plain answers say, kept per browser session.

Used where no Weir is in front. A bucket refills evenly, limit/60 a second, so
its level is known for the time after an answer too, as far as nobody else uses
the same account.
"""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Mapping
from typing import Any, TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from .stamp import epoch

C = TypeVar("C")

LIMITERS = {"requests": "requests", "input_tokens": "input-tokens", "output_tokens": "output-tokens"}

MARK = "weir-degraded"  # the header, and where the session keeps the last one

_STATE = "_weir_limits"
_KEPT = 32  # buckets that a session remembers
_ROUNDED = 500  # token counts come rounded to the nearest 1,000


def observe(response: Any, model: str | None = None) -> None:
    """Remember what the headers of an answer say about the limits, for ``quota_panel``.

    ``response`` is whatever has headers: an httpx response, the SDK's raw
    response, an ``APIStatusError``, or the headers themselves. It can be an
    event hook: ``anthropic.DefaultHttpxClient(event_hooks={"response": [observe]})``.
    ``model`` is read from the request where it is not given.

    Outside of a Streamlit session it does nothing. It never raises.
    """
    if get_script_run_ctx(suppress_warning=True) is None:
        return
    try:
        _remember(headers_of(response), model or _model(response))
    except Exception:  # noqa: BLE001, a gauge is not worth a failed answer
        return


def wrap(client: C) -> C:
    """Let an SDK client, sync or async, report the headers of all its answers; return the client.

    The reports go to the session in which each answer arrives, so that a
    client may be shared by all sessions. Wrapping twice does no harm.
    """
    http = client._client  # type: ignore[attr-defined]
    hooks = {kind: list(of_kind) for kind, of_kind in http.event_hooks.items()}
    hook: Any = _observe_async if inspect.iscoroutinefunction(http.send) else observe
    if hook not in hooks.setdefault("response", []):
        hooks["response"].append(hook)
        http.event_hooks = hooks
    return client


async def _observe_async(response: Any) -> None:
    observe(response)


def buckets(now: float | None = None) -> list[dict[str, Any]]:
    """Return the buckets seen by this session, in the shape of ``/api/v1/quota``.

    Times are Unix seconds: ``observed_at``, ``full_at``. The levels are those
    of now, with what has refilled since.
    """
    now = time.time() if now is None else now
    return [_level(b, now) for b in st.session_state.get(_STATE, {}).values()]


def _level(seen: dict[str, Any], now: float) -> dict[str, Any]:
    limit, refill = seen["limit"], seen["limit"] / 60
    doubt = 0 if seen["limiter"] == "requests" else _ROUNDED
    level = min(limit, seen["remaining"] + refill * max(0.0, now - seen["observed_at"]))
    return {
        **seen,
        "remaining": int(level),
        "low": int(max(0, level - doubt)),
        "high": int(min(limit, level + doubt)),
        "reserved": 0,
        "full_at": now + (limit - level) / refill if limit else now,
        "empty_in_s": None,
        "source": "sdk",
    }


def _remember(headers: Mapping[str, str], model: str) -> None:
    if mark := headers.get(MARK):
        st.session_state[MARK] = mark
    if _STATE not in st.session_state:
        st.session_state[_STATE] = {}
    seen: dict[tuple[str, str, str], dict[str, Any]] = st.session_state[_STATE]
    for limiter, name in LIMITERS.items():
        prefix = f"anthropic-ratelimit-{name}"
        limit, remaining = _count(headers.get(f"{prefix}-limit")), _count(headers.get(f"{prefix}-remaining"))
        if limit is None or remaining is None:
            continue  # any group may be missing
        organization = headers.get("anthropic-organization-id", "")
        bucket = {
            "organization": organization,
            "workspace": "",
            "group": model,
            "limiter": limiter,
            "limit": limit,
            "remaining": remaining,
            "reset": epoch(headers.get(f"{prefix}-reset")),
            "observed_at": time.time(),
        }
        seen.pop((organization, model, limiter), None)
        seen[organization, model, limiter] = bucket
    while len(seen) > _KEPT:
        del seen[next(iter(seen))]


def headers_of(response: Any) -> Mapping[str, str]:
    """Return the headers of whatever ``observe`` takes, their names in lower case or in any."""
    if isinstance(response, Mapping):
        return {str(k).lower(): str(v) for k, v in response.items()}
    inner = getattr(response, "response", response)  # of an APIStatusError
    return getattr(inner, "headers", None) or {}


def _model(response: Any) -> str:
    try:
        request = getattr(response, "http_request", None) or getattr(response, "response", response).request
        return str(json.loads(request.content).get("model", ""))
    except Exception:  # noqa: BLE001, a body may be streamed, encoded or no JSON
        return ""


def _count(text: Any) -> int | None:
    try:
        return max(0, int(text))
    except (TypeError, ValueError):
        return None
