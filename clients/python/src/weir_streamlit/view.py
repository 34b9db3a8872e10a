"""What the panel shows, made from a picture of the gateway or from headers.

Everything that a reader sees is put into words here, so that the JavaScript
component and the native elements show the same.
"""

from __future__ import annotations

import time
from typing import Any

from . import limits, simpler, words
from .stamp import epoch

_LEVELS = (5, 10, 20)  # per cent left at which the panel warns by itself
_SOON = 60.0  # seconds to empty below which it does
_WAITERS = 5  # of a queue that are named


def view(
    picture: dict[str, Any] | None, lang: words.Lang, admin: str | None, now: float | None = None
) -> dict[str, Any]:
    """Return the panel's content.

    Keys: ``at`` (Unix seconds), ``state``, ``title``, ``pools`` (each with
    ``gauges``), ``blocks``, ``lanes``, ``warnings``, ``simpler``, ``note``
    and ``words``.
    Times that are counted down are ``{"before", "at", "after"}``: Unix seconds
    with the words around them.
    """
    now = time.time() if now is None else now
    if picture is None:
        return _of_headers(lang, admin, now)
    # Countdowns run by this machine's clock, which need not be the gateway's.
    shift = now - (epoch(picture.get("at")) or now)
    quota = picture["quota"]
    keys = [k for k in quota.get("keys") or [] if k.get("state") == "blocked"]
    found = [_bucket(b, shift, now) for b in quota.get("buckets") or []]
    state = quota.get("state", "ok")
    if not found and not keys:
        state = "unknown"
    elif state == "blocked" and len(keys) < len(quota.get("keys") or []):
        state = "partly"
    told = picture.get("warnings")
    return {
        **_frame(lang, now, state),
        "pools": _pools(found, lang, now),
        "blocks": [_block(k, lang, shift) for k in keys],
        "lanes": [_lane(x, lang, now) for x in (picture.get("queue") or {}).get("lanes") or [] if x.get("waiting")],
        "warnings": _own(found, lang) if told is None else [text for w in told if (text := _told(w, lang))],
        "simpler": simpler.rungs(picture.get("degradation"), lang),
        "note": "",
    }


def _frame(lang: words.Lang, now: float, state: str) -> dict[str, Any]:
    return {
        "at": now,
        "state": state,
        "title": words.say(lang, f"state.{state}"),
        "words": {
            "lang": "zh-CN" if lang == "zh" else "en",
            **{k: words.say(lang, k) for k in ("queue.title", "queue.none", "warn.title")},
            # The component fills in the numbers itself as time goes by.
            "time.s": words.say(lang, "time.s", n="{n}"),
            "time.ms": words.say(lang, "time.ms", m="{m}", s="{s}"),
            "time.hm": words.say(lang, "time.hm", h="{h}", m="{m}"),
        },
    }


def _of_headers(lang: words.Lang, admin: str | None, now: float) -> dict[str, Any]:
    seen = limits.buckets(now)
    if seen:
        age = words.span(lang, now - max(b["observed_at"] for b in seen))
        note = words.say(lang, "panel.headers" if admin else "panel.plain", admin=admin, age=age)
    else:
        note = words.say(lang, "panel.none" if admin else "panel.empty", admin=admin)
    shares = [b["remaining"] / b["limit"] for b in seen if b["limit"]]
    state = "unknown" if not seen else "exhausted" if min(shares, default=1) <= 0 else "ok"
    pools, warnings = _pools(seen, lang, now), _own(seen, lang)
    frame = _frame(lang, now, state)
    if state == "exhausted":  # nobody paces the requests here
        frame["title"] = words.say(lang, "kind.wait")
    return {**frame, "pools": pools, "blocks": [], "lanes": [], "warnings": warnings, "simpler": [], "note": note}


def _bucket(b: dict[str, Any], shift: float, now: float) -> dict[str, Any]:
    return {**b, "full_at": (epoch(b.get("full_at")) or now - shift) + shift}


def _pools(found: list[dict[str, Any]], lang: words.Lang, now: float) -> list[dict[str, Any]]:
    pools: dict[tuple[str, str, str], dict[str, Any]] = {}
    for b in found:
        who = b["organization"], b.get("workspace", ""), b["group"]
        owner = " · ".join(filter(None, who[:2])) or words.say(lang, "pool.any")
        pool = pools.setdefault(who, {"group": b["group"], "owner": owner, "gauges": []})
        pool["gauges"].append(_gauge(b, lang, now))
    return list(pools.values())


def _gauge(b: dict[str, Any], lang: words.Lang, now: float) -> dict[str, Any]:
    limit, remaining = b["limit"], b["remaining"]
    share = remaining / limit if limit > 0 else 0.0
    numbers = {k: words.short(b[k]) for k in ("remaining", "limit", "low", "high")}
    level = "unknown" if limit <= 0 else "out" if share <= 0 else "low" if share < 0.1 else "good"
    return {
        **{k: b[k] for k in ("organization", "group", "limiter", "limit", "remaining", "low", "high")},
        "label": words.say(lang, f"limiter.{b['limiter']}"),
        "level": level,
        "share": min(max(share, 0.0), 1.0),
        "left": words.say(lang, "gauge.of", **numbers) if limit > 0 else words.say(lang, "gauge.unknown"),
        "value": words.say(lang, "gauge.value", **numbers),
        "between": words.say(lang, "gauge.between", **numbers) if b["low"] < b["high"] else "",
        "when": _when(b, lang, now),
        "reserved": words.say(lang, "gauge.reserved", n=words.short(b["reserved"])) if b["reserved"] > 0 else "",
        "source": words.say(lang, f"source.{b['source']}") if words.knows(f"source.{b['source']}") else "",
    }


def _when(b: dict[str, Any], lang: words.Lang, now: float) -> dict[str, Any]:
    """Say where the level is going."""
    if b["limit"] <= 0:
        return _still("")
    if b["remaining"] <= 0:
        return _still(words.say(lang, "gauge.isempty"))
    if b.get("empty_in_s") is not None:
        return _until(lang, "gauge.empty", now + b["empty_in_s"])
    if b["remaining"] >= b["limit"]:
        return _still(words.say(lang, "gauge.isfull"))
    return _until(lang, "gauge.full", b["full_at"]) if b["full_at"] > now else _still("")


def _until(lang: words.Lang, key: str, at: float, **values: object) -> dict[str, Any]:
    before, after = words.say(lang, key, time="\0", **values).split("\0")
    return {"before": before, "at": at, "after": after}


def _still(text: str) -> dict[str, Any]:
    return {"before": text, "at": None, "after": ""}


def _block(key: dict[str, Any], lang: words.Lang, shift: float) -> dict[str, Any]:
    until = epoch(key.get("until"))
    date = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(until)) if until else ""
    when = words.say(lang, "until.date", date=date) if until else words.say(lang, "until.lifted")
    block = key.get("block") or "disabled"
    reason = words.say(lang, f"said.{block}", until=when, message="") if words.knows(f"said.{block}") else block
    hint = words.say(lang, f"hint.{block}") if words.knows(f"hint.{block}") else ""
    text = words.say(lang, "block.key", name=key.get("name", ""), reason=f"{reason} {hint}".strip())
    return {"text": text, "at": until + shift if until else None}


def _lane(lane: dict[str, Any], lang: words.Lang, now: float) -> dict[str, Any]:
    head, bound = lane.get("head_in_s"), lane.get("bound_by") or ""
    return {
        "text": words.say(
            lang, "queue.lane", group=lane["group"], waiting=lane["waiting"], in_flight=lane["in_flight"]
        ),
        "waiting": lane["waiting"],
        "head": _still("") if head is None else _until(lang, "queue.head", now + head),
        "bound": words.say(lang, "queue.bound", limiter=words.say(lang, f"limiter.{bound}"))
        if words.knows(f"limiter.{bound}")
        else "",
        "next": [_waiter(w, lang, now) for w in (lane.get("next") or [])[:_WAITERS]],
    }


def _waiter(w: dict[str, Any], lang: words.Lang, now: float) -> dict[str, Any]:
    kind = words.say(lang, f"class.{w['class']}") if words.knows(f"class.{w['class']}") else w["class"]
    text = words.say(lang, "queue.waiter", position=w["position"], tenant=w["tenant"], **{"class": kind})
    return {"text": text, "eta": _still("") if w.get("eta_s") is None else _until(lang, "queue.eta", now + w["eta_s"])}


def _told(warning: Any, lang: words.Lang) -> str:
    """Return the words of one of the gateway's own warnings."""
    said = warning.get("text") if isinstance(warning, dict) else None
    said = said.get(lang) or said.get("en") if isinstance(said, dict) else said
    if isinstance(said, dict):
        return " ".join(str(said[k]) for k in ("message", "hint") if said.get(k))
    return said if isinstance(said, str) else ""


def _own(found: list[dict[str, Any]], lang: words.Lang) -> list[str]:
    """Warn of what is nearly used up, where the gateway does not."""
    said = []
    for b in found:
        if b["limit"] <= 0:
            continue
        names = {"group": b["group"], "limiter": words.say(lang, f"limiter.{b['limiter']}")}
        left = 100 * b["remaining"] / b["limit"]
        if b.get("empty_in_s") is not None and b["empty_in_s"] < _SOON:
            said.append(words.say(lang, "warn.empty", time=words.span(lang, b["empty_in_s"]), **names))
        elif under := next((p for p in _LEVELS if left < p), None):
            said.append(words.say(lang, "warn.left", percent=under, **names))
    return said
