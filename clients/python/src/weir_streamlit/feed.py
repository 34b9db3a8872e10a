"""Pictures of the gateway for a page whose script is busy.

While a script waits for an answer, Streamlit draws nothing for its session,
and that is when people look at the panel. So the component also reads a small
file that Streamlit's own server hands out, and which a thread here writes anew
as long as a panel is open. Its folder has a name that cannot be guessed: only
who has seen the panel can read it.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import secrets
import tempfile
import threading
import time
from pathlib import Path

from streamlit.components import v1

from . import gateway, words
from .view import view

_OPEN = 900.0  # seconds after the last sign of a panel for which the file is written; longer than a request may wait
_KEPT = 16  # feeds, one for each gateway and language
_FILE = "quota.json"


class _Feed:
    """Writes one file. ``until`` is when the thread may end, 0 when it must; guarded by the module's lock."""

    def __init__(self, admin: str, lang: words.Lang) -> None:
        self.admin, self.lang = admin, lang
        self.folder = tempfile.TemporaryDirectory(prefix="weir-streamlit-")
        self.until = 0.0
        self.running = False
        name = f"feed_{secrets.token_hex(16)}"
        v1.declare_component(name, path=self.folder.name)
        self.address = f"component/{__name__}.{name}/{_FILE}"

    def write(self) -> None:
        """Replace the file by a picture of now; without a gateway, by an empty one."""
        seen = gateway.picture(self.admin)
        text = json.dumps(view(seen, self.lang, self.admin) if seen else {})
        with _lock:
            if not self.until:
                return  # ended meanwhile
            part = Path(self.folder.name, f"{_FILE}.part")
            part.write_text(text, encoding="utf-8")
            part.replace(Path(self.folder.name, _FILE))


_feeds: dict[tuple[str, str], _Feed] = {}
_lock = threading.Lock()


def address(admin: str, lang: words.Lang, every: float) -> str:
    """Return where the page finds the pictures, relative to the app's address, and keep them coming.

    Must be called in a script run, and again while the panel is open. When
    there are too many feeds, the oldest ends.
    """
    with _lock:
        feed = _feeds.get((admin, lang))
        if feed is None:
            feed = _feeds[admin, lang] = _Feed(admin, lang)
            if len(_feeds) == 1:  # behind the folder's own clean-up, so that it runs before that
                atexit.unregister(_end)
                atexit.register(_end)
            while len(_feeds) > _KEPT:
                _feeds.pop(next(iter(_feeds))).until = 0.0
        feed.until = time.monotonic() + _OPEN
        if not feed.running:
            feed.running = True
            threading.Thread(target=_keep, args=(feed, every), daemon=True, name="weir-streamlit-feed").start()
        return feed.address


def _end() -> None:
    """Let no thread write into a folder that is being removed when the program ends."""
    with _lock:
        for feed in _feeds.values():
            feed.until = 0.0


def _keep(feed: _Feed, every: float) -> None:
    while True:
        with _lock:
            if time.monotonic() > feed.until:
                feed.running = False
                return
        with contextlib.suppress(OSError):  # a full disk, or the folder was cleaned away: the next may succeed
            feed.write()
        time.sleep(every)
