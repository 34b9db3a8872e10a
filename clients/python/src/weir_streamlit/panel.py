"""The quota on the page, live."""

from __future__ import annotations

import time
from functools import cache
from importlib import resources
from typing import Any

import streamlit as st

from . import feed, gateway, words
from .view import view

_COLUMNS = 3


def quota_panel(
    admin: str | None = "http://127.0.0.1:8788",
    lang: str | None = None,
    *,
    every: float = 1.0,
    native: bool = False,
    queue: bool = True,
    key: str = "weir-quota",
) -> None:
    """Show how much quota is left, live: gauges, forecasts, blocks, warnings, what is made simpler and who waits.

    ``admin`` is the admin address of Weir as this process reaches it; the
    browser does not ask it, for it answers only its own page. None means that
    there is no Weir. Without an answer from there the panel shows what the
    headers of this session's last answers said: see ``observe`` and ``wrap``.

    The JavaScript component stays live while the script waits for an answer;
    native elements do not, for Streamlit draws nothing then.

    ``every`` is the time between two pictures in seconds, at least 0.5.
    ``native`` draws with Streamlit's own elements, as on versions before 1.51,
    which have no second version of components. ``queue`` shows who waits.
    ``key`` must differ between two panels on a page.
    """
    chosen = words.language(lang)
    mount = None if native else _component()

    def picture() -> None:
        now = view(gateway.picture(admin) if admin else None, chosen, admin)
        if not queue:
            now["lanes"] = []
        if mount is None:
            _draw(now, chosen)
            return
        now["queue"] = queue
        now["feed"] = feed.address(admin, chosen, every) if admin else None
        now["every"] = every
        mount(key=key, data=now)

    every = max(every, 0.5)
    st.fragment(picture, run_every=every)()


@cache
def _component() -> Any:
    """Return the mount of the JavaScript component, or None where Streamlit has none."""
    components = getattr(getattr(st, "components", None), "v2", None)
    if components is None:
        return None
    assets = resources.files(__package__).joinpath("assets")
    script, style = (assets.joinpath(name).read_text(encoding="utf-8") for name in ("panel.js", "panel.css"))
    return components.component("weir_streamlit.quota", html='<section class="panel"></section>', js=script, css=style)


def _draw(now: dict[str, Any], lang: words.Lang) -> None:
    """Draw the panel with native elements."""
    st.markdown(f"**{words.plain(now['title'])}**")
    if now["note"]:
        st.caption(words.plain(now["note"]))
    for block in now["blocks"]:
        st.error(words.plain(block["text"]))
    for warning in now["warnings"]:
        st.warning(words.plain(warning))
    for said in now["simpler"]:
        st.info(words.plain(said))
    for pool in now["pools"]:
        with st.container(border=True):
            st.markdown(f"**{words.plain(pool['group'])}** {words.plain(pool['owner'])}")
            for place, gauge in zip(st.columns(_COLUMNS), pool["gauges"], strict=False):
                with place:
                    _draw_gauge(gauge, lang)
    for lane in now["lanes"]:
        st.caption(_joined(lane["text"], _counted(lane["head"], lang), lane["bound"]))
        for waiter in lane["next"]:
            st.caption(_joined(waiter["text"], _counted(waiter["eta"], lang)))


def _draw_gauge(gauge: dict[str, Any], lang: words.Lang) -> None:
    st.progress(gauge["share"], text=words.plain(f"{gauge['label']}: {gauge['left']}"))
    parts = (gauge["between"], _counted(gauge["when"], lang), gauge["reserved"], gauge["source"])
    st.caption(_joined(*parts))


def _counted(moment: dict[str, Any], lang: words.Lang) -> str:
    if moment["at"] is None:
        return str(moment["before"])
    return f"{moment['before']}{words.span(lang, moment['at'] - time.time())}{moment['after']}"


def _joined(*parts: str) -> str:
    return words.plain(" · ".join(p for p in parts if p))
