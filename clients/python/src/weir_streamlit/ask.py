"""One question about a text that is too long for one request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from . import words
from .attempts import _fingerprint, friendly_errors
from .textsplit import split_text, tokens

_STATE = "_weir_split"
_KEPT = 8  # questions that a session remembers


@dataclass
class SplitAnswer:
    """What came of a question to a long text.

    ``answers`` has one answer for each of ``parts``; ``text`` is the merged
    one. Tokens are as billed. ``cut_off`` tells whether an answer ended at
    ``max_tokens``.
    """

    text: str = ""
    parts: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    input_tokens: int = 0
    output_tokens: int = 0
    cut_off: bool = False


@dataclass(frozen=True)
class _Job:
    client: Any
    question: str
    model: str
    max_tokens: int
    size: int
    weir_class: str
    lang: words.Lang
    done: dict[str, Any]  # finished requests, by what was asked; kept in the session


def split_and_ask(
    client: Any,
    text: str,
    question: str,
    *,
    model: str,
    size: int = 6000,
    max_tokens: int = 1024,
    lang: str | None = None,
    weir_class: str = "batch",
    key: str = "split",
) -> SplitAnswer | None:
    """Ask a question about a long text, part by part, and merge the answers.

    The text is cut on this machine into parts of at most ``size`` estimated
    tokens, at paragraphs or sentences. Each part is one request with at most
    ``max_tokens`` of answer, one after the other, with a progress bar; a text
    of one part is not merged. ``client`` is a synchronous client of the SDK.

    Through Weir the requests go as class ``weir_class``, so that they give way
    to people who wait for an answer; without Weir the header has no effect.

    Returns None while a request has failed: its card is shown, and a press of
    its button goes on there. A finished part is never sent again in this
    session, whatever makes the script run again; nor is anything sent after a
    failure but by a press. ``key`` tells apart calls with the same arguments.

    Raises ``ValueError`` for an empty text or a size below 1.
    """
    if not text.strip():
        raise ValueError("text: is empty")
    parts = split_text(text, size)
    chosen = words.language(lang)

    def run(*_what: object) -> SplitAnswer:
        done = _finished(_fingerprint([key, text, question, model, size, max_tokens]))
        return _answer(_Job(client, question, model, max_tokens, size, weir_class, chosen, done), parts)

    run.__qualname__ = f"split_and_ask.{key}"
    # The arguments are what is asked: the guard of friendly_errors goes by them.
    return friendly_errors(lang)(run)(text, question, model, size, max_tokens)


def _finished(asked: str) -> dict[str, Any]:
    """Return the finished requests of a question; the oldest question is forgotten first."""
    if _STATE not in st.session_state:
        st.session_state[_STATE] = {}
    kept: dict[str, dict[str, Any]] = st.session_state[_STATE]
    done = kept.pop(asked, {})
    kept[asked] = done
    while len(kept) > _KEPT:
        del kept[next(iter(kept))]
    return done


def _answer(job: _Job, parts: list[str]) -> SplitAnswer:
    total = len(parts)
    bar = st.progress(0.0)
    answers = []
    for n, part in enumerate(parts, 1):
        bar.progress((n - 1) / (total + 1), text=words.say(job.lang, "split.part", n=n, total=total))
        answers.append(_request(job, f"part {n}", lambda n=n, part=part: _part_prompt(job, part, n, total)))
    merged = answers[0] if total == 1 else _merge(job, answers, bar)
    bar.progress(1.0, text=words.say(job.lang, "split.done", total=total))
    used = list(job.done.values())
    return SplitAnswer(
        text=merged,
        parts=parts,
        answers=answers,
        input_tokens=sum(r["input"] for r in used),
        output_tokens=sum(r["output"] for r in used),
        cut_off=any(r["cut_off"] for r in used),
    )


def _merge(job: _Job, answers: list[str], bar: Any) -> str:
    """Merge answers, in groups of what fits in one request, until one is left."""
    level = 0
    while len(answers) > 1:
        level += 1
        groups = _groups(answers, job.size)
        bar.progress(0.95, text=words.say(job.lang, "split.merge", n=len(answers)))
        answers = [
            group[0] if len(group) == 1 else _request(job, f"merge {level}.{i}", lambda g=group: _merge_prompt(job, g))
            for i, group in enumerate(groups)
        ]
    return answers[0]


def _groups(answers: list[str], size: int) -> list[list[str]]:
    """Group neighbours of at most size tokens together, but at least two, so that each round has fewer."""
    groups: list[list[str]] = [[]]
    for answer in answers:
        fits = sum(map(tokens, groups[-1])) + tokens(answer) <= size
        if not fits and len(groups[-1]) >= 2:
            groups.append([])
        groups[-1].append(answer)
    return groups


def _part_prompt(job: _Job, part: str, n: int, total: int) -> str:
    if total == 1:
        return f"{part}\n\n{job.question}"
    return f"{words.say(job.lang, 'split.prompt', n=n, total=total)}\n\n<part>\n{part}\n</part>\n\n{job.question}"


def _merge_prompt(job: _Job, answers: list[str]) -> str:
    told = "\n\n".join(f"<answer>\n{a}\n</answer>" for a in answers)
    return f"{words.say(job.lang, 'split.merging', total=len(answers))}\n\n{told}\n\n{job.question}"


def _request(job: _Job, name: str, prompt: Callable[[], str]) -> str:
    """Return the answer to a prompt, from the session if it was given already."""
    if name not in job.done:
        message = job.client.messages.create(
            model=job.model,
            max_tokens=job.max_tokens,
            messages=[{"role": "user", "content": prompt()}],
            extra_headers={"weir-class": job.weir_class, "weir-lang": job.lang},
        )
        # Kept before the next Streamlit call, at which a rerun may end this one.
        job.done[name] = {
            "text": "".join(b.text for b in message.content if b.type == "text"),
            "input": message.usage.input_tokens,
            "output": message.usage.output_tokens,
            "cut_off": message.stop_reason == "max_tokens",
        }
    return str(job.done[name]["text"])
