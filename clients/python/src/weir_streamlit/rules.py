"""The rules by which a failure is recognised: as data, the first match wins.

An error code is worth more than the beginning of a message, and that more than
the type and status. See the reference of Anthropic's errors.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone

_CODES = {
    "ramp_limit_exceeded": "ramp",
    "enforced_spend_limit_reached": "spend_cap",
    "contract_spend_limit_reached": "contract_cap",
    "organization_on_hold": "on_hold",
    "linked_organization_billing_unavailable": "no_credit",
    "linked_organization_spend_limit_reached": "own_limit",
    # Weir's own
    "request_exceeds_quota": "too_large",
    "request_exceeds_unknown_quota": "too_large",
    "body_too_large": "too_large",
    "queue_full": "rate_limit",
    "wait_deadline": "rate_limit",
    "upstream_unavailable": "server_error",
    "upstream_overloaded": "overloaded",
    "upstream_untrusted": "server_error",
    "no_api_key": "gateway",
    "oauth_token_refused": "gateway",
    "bad_gateway_token": "gateway",
    "batch_running": "rate_limit",
    "refused_by_rule": "gateway",
    "budget_spent": "gateway",
    "draining": "gateway",
    "internal_error": "gateway",
}

# Statuses, what the message in lower case contains or (^) begins with, and what it means.
_MESSAGES: list[tuple[tuple[int, ...], str, str]] = [
    ((429, 200), "maximum usage increase rate", "ramp"),
    ((429, 200), "acceleration limit", "ramp"),
    ((429, 200), "concurrent connections", "concurrency"),
    ((400, 429), "^you have reached your specified workspace", "workspace_limit"),
    ((400, 429), "^you have reached your specified", "own_limit"),
    ((400, 429), "^you have reached your api usage limits", "spend_cap"),
    ((400, 402, 403), "credit balance is too low", "no_credit"),
    ((400, 403), "^this organization has been disabled", "disabled"),
    ((429,), "required for long context requests", "bad_request"),
    ((400,), "^prompt is too long", "too_long"),
]

_TYPES = {
    "rate_limit_error": "rate_limit",
    "overloaded_error": "overloaded",
    "api_error": "server_error",
    "timeout_error": "timeout",
    "billing_error": "no_credit",
    "authentication_error": "bad_key",
    "permission_error": "forbidden",
    "not_found_error": "not_found",
    "request_too_large": "too_large",
    "conflict_error": "server_error",
    "invalid_request_error": "bad_request",
}

_STATUSES = {401: "bad_key", 402: "no_credit", 403: "forbidden", 404: "not_found", 408: "timeout", 409: "server_error",
             413: "too_large", 429: "rate_limit", 504: "timeout", 529: "overloaded"}  # fmt: skip

_LIMITERS = (
    ("input tokens per minute", "input_tokens"),
    ("output tokens per minute", "output_tokens"),
    ("requests per minute", "requests"),
    ("number of request tokens", "input_tokens"),
    ("number of requests has", "requests"),
)

_REGAIN = re.compile(r"regain access on (\d{4}-\d{2}-\d{2})(?: at (\d{2}:\d{2}) UTC)?")


def by_code(code: str) -> str:
    """Return the reason that an error code stands for, or "" if it is unknown."""
    return _CODES.get(code, "")


def by_message(status: int, message: str) -> str:
    """Return the reason that a message tells, or ""."""
    text = message.lower()
    for statuses, part, reason in _MESSAGES:
        if status in statuses and (text.startswith(part[1:]) if part[0] == "^" else part in text):
            return reason
    return ""


def by_type(status: int, kind: str) -> str:
    """Return the reason by the error's type, else by its status.

    An error in the middle of a stream has status 200, so the type comes first.
    """
    if kind in _TYPES:
        return _TYPES[kind]
    if status in _STATUSES:
        return _STATUSES[status]
    # A stream that broke off is nobody's request.
    return "server_error" if status >= 500 or status < 400 else "bad_request"


def limiter_of(message: str) -> str:
    """Return the limiter that a message names, or ""."""
    text = message.lower()
    return next((limiter for part, limiter in _LIMITERS if part in text), "")


def regained(message: str, reason: str, now: float) -> float | None:
    """Return the Unix time at which a paused account is let in again.

    The message names it; else, for the caps of a calendar month, it is the
    first of the next one in UTC; else it is not known.
    """
    if found := _REGAIN.search(message):
        day = f"{found[1]}T{found[2] or '00:00'}:00+00:00"
        try:
            return datetime.fromisoformat(day).timestamp()
        except ValueError:
            return None
    if reason not in ("spend_cap", "own_limit", "workspace_limit"):
        return None
    today = datetime.fromtimestamp(now, timezone.utc)
    year, month = (today.year + 1, 1) if today.month == 12 else (today.year, today.month + 1)
    return datetime(year, month, 1, tzinfo=timezone.utc).timestamp()
