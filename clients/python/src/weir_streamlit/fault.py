"""What an exception of the Anthropic SDK means for whoever asked.

There are five kinds, and each asks for something else: wait, an administrator,
patience with Anthropic, another request, or whoever runs the gateway.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from . import words
from .rules import by_code, by_message, by_type, limiter_of, regained
from .stamp import epoch

Kind = Literal["wait", "cap", "busy", "request", "gateway"]

# Waits where the answer names none: the first is long enough for a small
# account to have one request refilled, and each further try doubles it.
FIRST_WAIT, LONGEST_WAIT = 12.0, 60.0

_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("rate_limit", "ramp", "concurrency"), "wait"),
    **dict.fromkeys(
        ("spend_cap", "contract_cap", "own_limit", "workspace_limit", "no_credit", "disabled", "on_hold"), "cap"
    ),
    **dict.fromkeys(("overloaded", "server_error", "timeout", "unreachable", "broken_off"), "busy"),
    "gateway": "gateway",
}


@dataclass(frozen=True)
class Fault:
    """A failure, in terms of what to do.

    ``retry_at`` is the Unix time in seconds from which on another try may
    succeed; None where waiting is not what helps. ``until`` is when an account
    is let in again, if that is known. ``from_weir`` tells whether Weir itself
    refused.
    """

    kind: Kind
    reason: str
    message: str = ""  # the words of the answer
    hint: str = ""  # Weir's advice
    retry_at: float | None = None
    until: float | None = None
    limiter: str = ""  # requests, input_tokens, output_tokens or ""
    status: int | None = None
    code: str = ""
    request_id: str = ""
    host: str = ""
    from_weir: bool = False
    in_stream: bool = False

    @property
    def resendable(self) -> bool:
        """Whether the same request may be answered another time."""
        return self.kind != "request"

    def said(self, lang: words.Lang) -> str:
        """Return what happened, in one or two sentences of plain text."""
        if self.from_weir and self._speaks(lang):
            return self.message
        key = f"said.{self.reason}"
        if self.limiter and words.knows(f"{key}.{self.limiter}"):
            key += f".{self.limiter}"
        return words.say(lang, key, message=self.message, host=self.host, until=self._until(lang))

    def advice(self, lang: words.Lang) -> str:
        """Return what to do about it, in one or two sentences of plain text."""
        if self.from_weir and self.hint and self._speaks(lang):
            return self.hint
        return words.say(lang, f"hint.{self.reason}")

    def _until(self, lang: words.Lang) -> str:
        if self.until is None:
            return words.say(lang, "until.lifted")
        date = datetime.fromtimestamp(self.until, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
        return words.say(lang, "until.date", date=date)

    def _speaks(self, lang: words.Lang) -> bool:
        # Weir speaks the language that the client asked for, which need not be the reader's.
        return bool(self.message) and any("\u4e00" <= c <= "\u9fff" for c in self.message) == (lang == "zh")


def classify(error: BaseException, tries: int = 1, now: float | None = None) -> Fault | None:
    """Return what an exception means, or None if it is none of the SDK or its connection.

    ``tries`` is how often it has been tried; it lengthens the wait where the
    answer names none. ``now`` is the Unix time in seconds.
    """
    now = time.time() if now is None else now
    response, status = getattr(error, "response", None), getattr(error, "status_code", None)
    if _ours(error) and isinstance(status, int) and response is not None:
        return _of_answer(error, response, status, tries, now)
    names = {c.__name__ for c in type(error).__mro__}
    if _ours(error) and names & {"APITimeoutError", "TimeoutException"}:
        return Fault("busy", "timeout", str(error), retry_at=now + backoff(tries), host=_host(error))
    if _ours(error) and names & {"APIConnectionError", "ConnectError"}:
        return Fault("busy", "unreachable", str(error), retry_at=now + backoff(tries), host=_host(error))
    if _ours(error) and names & {"TransportError", "StreamError"}:
        return Fault("busy", "broken_off", str(error), retry_at=now + backoff(tries), host=_host(error))
    return None


def backoff(tries: int) -> float:
    """Return the seconds to wait after that many tries where nobody says how long."""
    return float(min(FIRST_WAIT * 2 ** (max(tries, 1) - 1), LONGEST_WAIT))


def _ours(error: BaseException) -> bool:
    # By name, because anthropic is optional, and its major versions use different HTTP libraries.
    return any(c.__module__.partition(".")[0] in ("anthropic", "httpx", "httpx2") for c in type(error).__mro__)


def _of_answer(error: BaseException, response: Any, status: int, tries: int, now: float) -> Fault:
    inner, request_id = _body(error)
    headers = response.headers
    details = _dict(inner.get("details"))
    weir = _dict(details.get("weir"))
    kind_of_error, code = _text(inner.get("type")), _text(details.get("error_code"))
    message = _text(inner.get("message")) or str(error)
    reason = by_code(code) or by_message(status, message) or by_type(status, kind_of_error)
    kind = _KINDS.get(reason, "request")
    if weir:
        kind, reason = _of_weir(weir, kind, reason)
    after = _retry_after(headers, now) if status == 429 or status >= 500 else None
    named = _instant(weir.get("retry_at"), headers, now)
    retry_at = until = None
    if kind == "cap":
        until = epoch(weir.get("retry_at")) or regained(message, reason, now)
    elif kind in ("wait", "busy") or after is not None or named is not None:
        retry_at = after if after is not None else named if named is not None else now + backoff(tries)
    return Fault(
        kind=kind,
        reason=reason,
        message=message,
        hint=_text(weir.get("hint")),
        retry_at=retry_at,
        until=until,
        limiter=_text(weir.get("limit")) or limiter_of(message),
        status=status,
        code=code,
        request_id=request_id or headers.get("request-id", ""),
        host=_host(error),
        from_weir=bool(weir),
        in_stream=status < 400,
    )


def _of_weir(weir: dict[str, Any], kind: Kind, reason: str) -> tuple[Kind, str]:
    """Let Weir say whose limit it is; what the answer looks like says the rest."""
    anthropic = weir.get("who") == "anthropic"
    scope = weir.get("scope")
    told: Kind = kind
    if scope == "temporary":
        told = "busy" if anthropic else "wait"
    elif scope == "account":
        told = "cap"
    elif scope in ("request", "gateway"):
        told = "request" if scope == "request" else "gateway"
    if told == kind:
        return kind, reason
    default = {"busy": "server_error", "wait": "rate_limit", "cap": "disabled", "request": "bad_request"}
    return told, default.get(told, "gateway")


def _body(error: BaseException) -> tuple[dict[str, Any], str]:
    body = getattr(error, "body", None)
    if isinstance(body, (str, bytes)):
        try:
            body = json.loads(body)
        except ValueError:
            body = None
    outer = _dict(body)
    return _dict(outer.get("error")), _text(outer.get("request_id"))


def _retry_after(headers: Any, now: float) -> float | None:
    try:
        return now + float(headers.get("retry-after-ms", "")) / 1000
    except ValueError:
        pass
    value = headers.get("retry-after", "")
    try:
        return now + float(value)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(value).timestamp() if value else None
    except (TypeError, ValueError):
        return None


def _instant(stamp: Any, headers: Any, now: float) -> float | None:
    """Read an RFC 3339 time, and shift it by what the two clocks differ."""
    at = epoch(stamp)
    if at is None:
        return None
    try:
        return at + now - parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (TypeError, ValueError):
        return at


def _host(error: BaseException) -> str:
    try:
        request = error.request  # type: ignore[attr-defined]
        return urlsplit(str(request.url)).netloc
    except (AttributeError, RuntimeError):  # httpx raises where an error has no request
        return "api.anthropic.com"


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
