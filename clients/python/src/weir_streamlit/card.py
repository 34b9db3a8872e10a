"""How a failure looks on the page: what happened, what to do, and a countdown."""

from __future__ import annotations

import time
from collections.abc import Callable

import streamlit as st
from streamlit.errors import StreamlitAPIException

from . import words
from .fault import Fault

_ICONS = {
    "wait": ":material/hourglass_top:",
    "cap": ":material/block:",
    "busy": ":material/cloud_off:",
    "request": ":material/edit:",
    "gateway": ":material/router:",
}
_TICK, _SLOW_TICK = 1.0, 5.0  # seconds between two pictures of a countdown, and of a card that has none


def show(fault: Fault, lang: words.Lang) -> None:
    """Show what happened and what to do, without countdown or button."""
    box = {"wait": st.info, "busy": st.info, "cap": st.error}.get(fault.kind, st.warning)
    title = words.say(lang, f"kind.{fault.kind}")
    said, advice = (words.plain(text(lang)) for text in (fault.said, fault.advice))
    box(f"**{title}**\n\n{said}\n\n{advice}", icon=_ICONS[fault.kind])


def countdown(fault: Fault, lang: words.Lang, press: tuple[str, Callable[[], None]] | None) -> bool:
    """Show the time that is left and, if press is given, the button; return whether it has been pressed.

    ``press`` is the button's key and what a press does first. The button can
    be pressed only once the time is up. In a form, where Streamlit allows no
    button, there is none.
    """
    left = (fault.retry_at or 0) - time.time()
    when = "retry" if press else "retry.hint"
    if fault.retry_at is None:
        line = ""
    elif left > 0:
        line = words.say(lang, "retry.in" if press else "retry.hint_only", time=words.span(lang, left))
    else:
        line = words.say(lang, f"{when}.now" if press else "retry.hint_now")
    if line:
        st.caption(line)
    if press is None:
        return False
    key, pressed = press
    try:
        return st.button(words.say(lang, "retry.button"), key=key, on_click=pressed, disabled=left > 0)
    except StreamlitAPIException:
        return False


def details(fault: Fault, lang: words.Lang) -> None:
    """Show, folded away, what helps whoever looks into it."""
    facts = [words.say(lang, "details.status", status=fault.status)] if fault.status else []
    if fault.in_stream:
        facts.append(words.say(lang, "details.stream"))
    facts += [f"`{fact}`" for fact in (fault.code, fault.request_id) if fact]
    if not facts and not fault.message:
        return
    try:
        with st.expander(words.say(lang, "details")):
            st.caption(" · ".join(facts))
            if fault.message:
                st.code(fault.message, language=None, wrap_lines=True)
    except (StreamlitAPIException, TypeError):
        # An expander may not be inside another in old versions, nor code be wrapped.
        st.caption(" · ".join(facts))


def ticking(picture: Callable[[], None], fault: Fault) -> None:
    """Draw a picture of a fault, and again as long as it may change.

    Streamlit fixes the pace when it draws for the first time, and a further
    try may fail in another way, so that a card without countdown ticks too.
    """
    pace = None
    if fault.resendable:
        pace = _SLOW_TICK if fault.retry_at is None else _TICK
    st.fragment(picture, run_every=pace)()
