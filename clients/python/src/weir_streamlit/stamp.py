"""Reading of RFC 3339 times."""

from __future__ import annotations

import re
from datetime import datetime

_FRACTION = re.compile(r"\.(\d{1,6})\d*")


def epoch(stamp: object) -> float | None:
    """Return the Unix time of an RFC 3339 stamp in seconds, or None if it is none.

    Go writes up to nine digits of a second, more than Python 3.10 reads; the
    zero time of Go, in the year 1, is none either.
    """
    if not isinstance(stamp, str):
        return None
    text = _FRACTION.sub(lambda m: f".{m[1]:0<6}", stamp).replace("Z", "+00:00")
    try:
        at = datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None
    return at if at > 0 else None
