"""Reading the admin plane of Weir, once for all sessions of an app."""

from __future__ import annotations

import http.client
import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

_FRESH = 0.4  # seconds for which a picture is shown to all sessions
_ABSENT = 3.0  # seconds until a gateway that did not answer is asked again
_TIMEOUT = 1.5  # seconds that a picture may take
_LARGEST = 16 << 20  # bytes of a picture
_KEPT = 16  # addresses


@dataclass
class _Source:
    """One admin plane. ``lock`` is held while it is asked, so that only one session does."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    picture: dict[str, Any] | None = None
    asked_at: float = float("-inf")


_sources: dict[str, _Source] = {}
_sources_lock = threading.Lock()


def picture(admin: str) -> dict[str, Any] | None:
    """Return what the gateway with this admin address knows now, or None if it does not answer.

    It is the newest event of ``/api/v1/events``: ``at``, ``quota``, ``queue``
    and, where the gateway has them, ``warnings``. It is at most half a second
    old, however many sessions ask. Never raises.
    """
    with _sources_lock:
        source = _sources.setdefault(admin, _Source())
        while len(_sources) > _KEPT:
            del _sources[next(iter(_sources))]
    with source.lock:
        kept = _ABSENT if source.picture is None else _FRESH
        if time.monotonic() - source.asked_at > kept:
            source.picture = _ask(admin)
            source.asked_at = time.monotonic()
        return source.picture


def _ask(admin: str) -> dict[str, Any] | None:
    where = urlsplit(admin if "//" in admin else f"http://{admin}")
    kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
    try:
        # No proxy of the environment: the admin plane is on this machine, or on a private network.
        connection = kind(where.hostname or "", where.port, timeout=_TIMEOUT)
    except (ValueError, http.client.InvalidURL):
        return None
    try:
        connection.request("GET", where.path.rstrip("/") + "/api/v1/events", headers={"Accept": "text/event-stream"})
        answer = connection.getresponse()
        return _first_event(answer) if answer.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def _first_event(answer: http.client.HTTPResponse) -> dict[str, Any] | None:
    until = time.monotonic() + _TIMEOUT
    while time.monotonic() < until:
        line = answer.readline(_LARGEST)
        if not line:
            return None
        if line.startswith(b"data:"):
            event = json.loads(line[5:])
            return event if isinstance(event, dict) and isinstance(event.get("quota"), dict) else None
    return None
