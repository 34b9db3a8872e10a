"""What was made simpler, in plain words: of an answer, and at the gateway now."""

from __future__ import annotations

from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from . import limits, words


def simpler(response: Any, lang: str | None = None) -> str | None:
    """Return in words how an answer was made simpler by Weir, or None if it was not.

    ``response`` is whatever has headers, as for ``observe``: the SDK's raw
    response, or the headers themselves. ``lang`` is "en" or "zh", by default
    the browser's language.
    """
    return _told(limits.headers_of(response).get(limits.MARK, ""), words.language(lang))


def begin() -> None:
    """Forget the mark of an earlier answer of this session."""
    if get_script_run_ctx(suppress_warning=True) is not None:
        st.session_state.pop(limits.MARK, None)


def tell(lang: words.Lang) -> None:
    """Say that an answer since ``begin`` was made simpler, where a client is wrapped."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return
    if told := _told(st.session_state.pop(limits.MARK, ""), lang):
        st.caption(words.plain(told))


def rungs(report: Any, lang: words.Lang) -> list[str]:
    """Return a line for each rung of the ladder that is in force; of a dry run there are none."""
    if not isinstance(report, dict) or report.get("dry_run"):
        return []
    said = []
    for rung in report.get("rungs") or []:
        if not rung.get("places"):
            continue
        places = rung.get("in_force") or []
        who = [" · ".join(filter(None, (p.get("class"), p.get("tenant"), p.get("model")))) for p in places]
        if len(places) < rung["places"]:
            who.append("…")
        said.append(words.say(lang, "simpler.now", how=_name(rung["rung"], lang), who=", ".join(who)))
    return said


def _told(mark: str, lang: words.Lang) -> str | None:
    """Return the words of a header weir-degraded, such as ``effort+fallback; from=claude-opus-5``."""
    done, _, asked = mark.partition(";")
    if not done.strip():
        return None
    kinds = [kind.strip() for kind in done.split("+")]
    how = ", ".join(_name(kind, lang) for kind in kinds)
    model = asked.strip().removeprefix("from=")
    if "fallback" in kinds and model:
        return words.say(lang, "simpler.model", how=how, model=model)
    return words.say(lang, "simpler.answer", how=how)


def _name(kind: str, lang: words.Lang) -> str:
    return words.say(lang, f"rung.{kind}") if words.knows(f"rung.{kind}") else kind
