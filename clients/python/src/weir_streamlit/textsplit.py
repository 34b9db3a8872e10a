"""Cutting a long text into parts, at the best place there is. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# Best first: after an empty line, a line, a sentence, a clause, a word. What
# ends a sentence may be followed by closing quotes and brackets.
_CLOSERS = "\"'”’»)\\]）】」』》〉"
_PLACES = [
    re.compile(r"\n[ \t]*\n\s*"),
    re.compile(r"\n"),
    re.compile(rf"[.!?…]+[{_CLOSERS}]*\s+|[。！？｡‼⁇⁈⁉]+[{_CLOSERS}]*\s*"),
    re.compile(r"[,;:]\s+|[，；：、]\s*"),
    re.compile(r"\s+"),
]


def tokens(text: str) -> float:
    """Estimate how many tokens a text has: four letters of Latin script, or one other character, are one."""
    narrow = sum(1 for c in text if c < "\u0250")
    return narrow / 4 + (len(text) - narrow)


def split_text(text: str, size: int = 6000) -> list[str]:
    """Cut a text into parts of at most size estimated tokens each.

    Cuts are at paragraphs, else lines, sentences, clauses, words, and only
    where there are none of them inside a word, but never inside a character
    that is written with several code points. The parts put together are the
    text. An empty text has no parts.

    Raises ``ValueError`` for a size below 1.
    """
    if size < 1:
        raise ValueError(f"size: {size}, want at least 1")
    return list(_pack(_pieces(text, size, 0), size))


def _pieces(text: str, size: int, place: int) -> Iterator[str]:
    """Cut at every place of one kind, and what is still too large at the next kind."""
    if tokens(text) <= size:
        if text:
            yield text
        return
    if place == len(_PLACES):
        yield from _hard(text, size)
        return
    start = 0
    ends = [m.end() for m in _PLACES[place].finditer(text)]
    for end in [*ends, len(text)]:
        if end > start:
            yield from _pack(_pieces(text[start:end], size, place + 1), size)
            start = end


def _pack(pieces: Iterator[str], size: int) -> Iterator[str]:
    """Put neighbours together as long as they fit."""
    held: list[str] = []
    total = 0.0
    for piece in pieces:
        n = tokens(piece)
        if held and total + n > size:
            yield "".join(held)
            held, total = [], 0.0
        held.append(piece)
        total += n
    if held:
        yield "".join(held)


def _hard(text: str, size: int) -> Iterator[str]:
    """Cut between characters; one that alone is larger than size stays whole."""
    ends = [i for i in range(1, len(text)) if not _joined(text, i)]
    yield from _pack((text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)), size)


def _joined(text: str, i: int) -> bool:
    """Whether the code point at i belongs to the character before it."""
    c, before = text[i], text[i - 1]
    if "\u200d" in (c, before) or unicodedata.combining(c) or unicodedata.category(c) in ("Mn", "Me", "Mc"):
        return True
    if "\U0001f3fb" <= c <= "\U0001f3ff":  # skin tones
        return True
    return before == "\r" and c == "\n"
