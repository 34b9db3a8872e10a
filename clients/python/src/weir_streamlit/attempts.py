"""Failures in plain words, and tries that are repeated by a press and by nothing else."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar, cast

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from . import card, simpler, words
from .fault import Fault, classify

F = TypeVar("F", bound=Callable[..., Any])

_STATE = "_weir_attempts"
_KEPT = 32  # failures that a session remembers; the oldest are forgotten first


@dataclasses.dataclass
class _Attempt:
    """A failure that waits for a press."""

    name: str
    asked: str  # fingerprint of what was asked
    about: Any
    fault: Fault
    tries: int = 1
    pressed: bool = False
    result: Any = None
    answered_in: Any = None  # the run in which a press brought the result

    def press(self) -> None:
        self.pressed = True

    def take(self) -> bool:
        """Whether there is a press; the next one counts anew."""
        pressed, self.pressed = self.pressed, False
        return pressed

    @property
    def widget(self) -> str:
        return f"weir-retry-{self.name}-{self.asked[:12]}"


class friendly_errors:  # noqa: N801, used like a function
    """Show what the SDK raises in plain words, with a countdown and a retry button.

    Use it as a context manager, as a decorator, or in both ways::

        with friendly_errors(about=question):
            st.write(ask(question))

        @friendly_errors()
        def answer(question): ...

    ``about`` is what is asked: any value that is the same as long as the same
    is asked. A failure is remembered with it. As long as it is, the block or
    function is not run again by a rerun of the script, whatever its cause:
    only a press of the button runs it, once. Without ``about`` a block has no
    button, because it could not be told whether a rerun asks the same again.
    For a function it is the arguments.

    ``key`` tells apart blocks that ask the same; a function's is its name.
    ``lang`` is "en" or "zh", by default the browser's language.

    A block that failed ends the run at its card, as its traceback would have
    done; a function returns None. An answer that Weir made simpler is told of in
    a line below, where the client is one that ``wrap`` has seen. Other exceptions than those of the SDK and
    its connection pass through unchanged.
    """

    def __init__(self, lang: str | None = None, *, about: Any = None, key: str | None = None) -> None:
        self._lang, self._about, self._key = lang, about, key
        self._attempt: _Attempt | None = None

    def __enter__(self) -> friendly_errors:
        simpler.begin()
        if self._about is None:
            return self
        self._attempt = _find(self._key or "block", self._about, only=self._key is not None)
        if self._attempt and not self._attempt.take():
            _draw(self._attempt, words.language(self._lang), st.rerun)
            st.stop()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        earlier, self._attempt = self._attempt, None
        if error is None:
            _forget(earlier)
            simpler.tell(words.language(self._lang))
            return
        fault = classify(error, earlier.tries + 1 if earlier else 1)
        if fault is None:
            return
        lang = words.language(self._lang)
        if self._about is None:
            _draw_once(fault, lang)
        else:
            _draw(_remember(self._key or "block", self._about, fault, earlier), lang, st.rerun)
        st.stop()

    def __call__(self, function: F) -> F:
        """Return the function with its failures shown; see the class."""
        name = self._key or f"{function.__module__}.{function.__qualname__}"

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            return _run(_Call(function, args, kwargs, name, self._lang, self._key is not None))

        return cast(F, call)


def unanswered(key: str) -> Any:
    """Return what the block with this key was asked and has not answered yet, else None.

    A question that comes from an event, such as ``st.chat_input``, is gone in
    the next run. Where its failure is shown by a block, ask for it so::

        question = st.chat_input() or unanswered("chat")
    """
    for attempt in reversed(_attempts()):
        if attempt.name == key and attempt.answered_in is None:
            return attempt.about
    return None


def on_script_error(lang: str | None = None) -> Callable[[Exception], bool]:
    """Return a handler for ``st.App("app.py", on_script_error=...)``, of Streamlit from 1.58 on.

    It shows the failures of the SDK in plain words, in place of their
    traceback, in an app that is not changed otherwise. It has a countdown but
    no button, because it does not know what was asked. In older versions,
    decorate the function that holds the app with ``friendly_errors()``.
    """

    def handle(error: Exception) -> bool:
        fault = classify(error)
        if fault is None:
            return False
        _draw_once(fault, words.language(lang))
        return True

    return handle


@dataclasses.dataclass(frozen=True)
class _Call:
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    name: str
    lang: str | None
    only: bool

    @property
    def about(self) -> Any:
        return [self.args, self.kwargs]

    def make(self) -> Any:
        return self.function(*self.args, **self.kwargs)


def _run(call: _Call) -> Any:
    """Make a call, unless it has failed and nobody has pressed."""
    attempt = _find(call.name, call.about, only=call.only)
    if attempt and attempt.answered_in is not None:
        _forget(attempt)
        if attempt.answered_in is get_script_run_ctx():
            return attempt.result
        attempt = None
    if attempt and not attempt.take():
        _draw(attempt, words.language(call.lang), functools.partial(_again, attempt, call))
        return None
    return _try(call, attempt)


def _try(call: _Call, earlier: _Attempt | None) -> Any:
    simpler.begin()
    try:
        result = call.make()
    except Exception as error:
        fault = classify(error, earlier.tries + 1 if earlier else 1)
        if fault is None:
            raise
        attempt = _remember(call.name, call.about, fault, earlier)
        _draw(attempt, words.language(call.lang), functools.partial(_again, attempt, call))
        return None
    _forget(earlier)
    simpler.tell(words.language(call.lang))
    return result


def _again(attempt: _Attempt, call: _Call) -> None:
    """Make the call in the place of its card, then run the whole script.

    The question may come from an event that is gone by now, so the script
    would not make the call. If it does, it gets the result that is kept here.
    """
    if not attempt.take():
        return
    with st.spinner(words.say(words.language(call.lang), "retry.under_way")):
        try:
            result = call.make()
        except Exception as error:
            fault = classify(error, attempt.tries + 1)
            if fault is None:
                _forget(attempt)
                raise
            _remember(attempt.name, attempt.about, fault, attempt)
            return  # to the card, which shows the new failure in its place
        attempt.result, attempt.answered_in = result, get_script_run_ctx()
    st.rerun()


def _draw(attempt: _Attempt, lang: words.Lang, again: Callable[[], None]) -> None:
    """Draw the card of an attempt, whose button leads to again."""

    def picture() -> None:
        if attempt.pressed:
            again()
        card.show(attempt.fault, lang)
        card.countdown(attempt.fault, lang, (attempt.widget, attempt.press) if attempt.fault.resendable else None)
        card.details(attempt.fault, lang)

    card.ticking(picture, attempt.fault)


def _draw_once(fault: Fault, lang: words.Lang) -> None:
    def picture() -> None:
        card.show(fault, lang)
        card.countdown(fault, lang, None)
        card.details(fault, lang)

    card.ticking(picture, fault)


def _attempts() -> list[_Attempt]:
    if _STATE not in st.session_state:
        st.session_state[_STATE] = []
    return cast("list[_Attempt]", st.session_state[_STATE])


def _find(name: str, about: Any, *, only: bool) -> _Attempt | None:
    """Return the failure of what is asked. With only, one that was about something else is over."""
    kept, asked = _attempts(), _fingerprint(about)
    if only:
        kept[:] = [a for a in kept if a.name != name or a.asked == asked]
    return next((a for a in kept if a.name == name and a.asked == asked), None)


def _remember(name: str, about: Any, fault: Fault, earlier: _Attempt | None) -> _Attempt:
    if earlier is not None:
        earlier.fault, earlier.tries = fault, earlier.tries + 1
        return earlier
    attempt = _Attempt(name, _fingerprint(about), about, fault)
    kept = _attempts()
    kept.append(attempt)
    del kept[:-_KEPT]
    return attempt


def _forget(attempt: _Attempt | None) -> None:
    if attempt is not None:
        kept = _attempts()
        kept[:] = [a for a in kept if a is not attempt]


def _fingerprint(value: Any) -> str:
    """Return a name of a value that equal values share, in every run of the script.

    What cannot be told apart by its content, such as a client, counts by its
    type: a client that each run makes anew is the same to whoever asks.
    """
    try:
        text = json.dumps(value, default=_content, sort_keys=True)
    except (TypeError, ValueError):  # keys that JSON does not know, or a circle
        text = repr(value)
    return hashlib.sha256(text.encode()).hexdigest()


def _content(value: Any) -> Any:
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [kind, {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}]
    if callable(dump := getattr(value, "model_dump", None)):
        return [kind, dump(mode="json")]
    if isinstance(value, (bytes, bytearray)):
        return [kind, hashlib.sha256(value).hexdigest()]
    if isinstance(value, (set, frozenset)):
        return [kind, sorted(map(repr, value))]
    return kind
