"""Claude's quota, its errors in plain words, and long texts, for Streamlit apps.

``quota_panel`` shows how much quota is left, live. ``friendly_errors`` tells
what went wrong, with a countdown and a retry button; ``on_script_error`` does so
for an app that is not changed otherwise. ``split_and_ask`` asks about a text
that is too long for one request. All of it works with Weir in front and
without: ``wrap`` or ``observe`` then collect what the answers say of the limits.
"""

from .ask import SplitAnswer, split_and_ask
from .attempts import friendly_errors, on_script_error, unanswered
from .fault import Fault, classify
from .limits import observe, wrap
from .panel import quota_panel
from .simpler import simpler
from .textsplit import split_text

__all__ = [
    "Fault",
    "SplitAnswer",
    "classify",
    "friendly_errors",
    "observe",
    "on_script_error",
    "quota_panel",
    "simpler",
    "split_and_ask",
    "split_text",
    "unanswered",
    "wrap",
]
