"""The words for people, in English and Chinese."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Literal

import streamlit as st

Lang = Literal["en", "zh"]


@cache
def _book(lang: Lang) -> dict[str, str]:
    text = resources.files(__package__).joinpath("assets", f"{lang}.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def language(lang: str | None = None) -> Lang:
    """Return the language to speak: the one given, else the browser's, else English.

    Every tag that begins with ``zh`` is Chinese; whatever else is unknown is English.
    """
    if lang is None:
        try:
            lang = str(st.context.headers.get("Accept-Language") or "")
        except Exception:  # outside of a session there is no browser to ask
            lang = ""
    return "zh" if lang.strip().lower().startswith("zh") else "en"


def say(lang: Lang, key: str, **values: object) -> str:
    """Return the words of a key with the values filled in.

    Raises ``KeyError`` if there is no such key.
    """
    return _book(lang)[key].format(**values)


def knows(key: str) -> bool:
    """Tell whether there are words for a key."""
    return key in _book("en")


def span(lang: Lang, seconds: float) -> str:
    """Return a time in words: whole seconds, rounded up, below an hour; above it hours and minutes."""
    n = max(0, -int(-seconds // 1))
    if n < 60:
        return say(lang, "time.s", n=n)
    if n < 3600:
        return say(lang, "time.ms", m=n // 60, s=n % 60)
    return say(lang, "time.hm", h=n // 3600, m=n % 3600 // 60)


def short(n: float) -> str:
    """Return a count as people read it at a glance: 980, 12.5k, 3M."""
    for unit, scale in (("M", 1e6), ("k", 1e3)):
        if abs(n) >= scale:
            return f"{n / scale:.1f}".rstrip("0").rstrip(".") + unit
    return str(round(n))


def plain(text: str) -> str:
    """Return text so that Markdown shows it as it is.

    What an upstream says may quote what a user wrote, so it must not become
    a link, an image, HTML or a formula.
    """
    return "".join("\\" + c if c in "\\`*_{}[]()<>#+-!|~$:" else c for c in text)
