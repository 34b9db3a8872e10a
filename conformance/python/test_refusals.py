"""Meets every refusal of conformance/refusals, in both languages, blocking and
asynchronously, with the retries that the SDK makes by default.

All calls are made when the first test asks for one, side by side; the tests
only look at what came of them.
"""

import asyncio
import json
import os
import re
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import anthropic
import pytest
from conftest import text

URL = os.environ.get("REFUSALS_URL")

CLASSES = {
    200: anthropic.APIStatusError,
    400: anthropic.BadRequestError,
    401: anthropic.AuthenticationError,
    402: anthropic.PaymentRequiredError,
    403: anthropic.PermissionDeniedError,
    404: anthropic.NotFoundError,
    413: anthropic.ContentTooLargeError,
    429: anthropic.RateLimitError,
    500: anthropic.InternalServerError,
    502: anthropic.InternalServerError,
    503: anthropic.ServiceUnavailableError,
    529: anthropic.OverloadedError,
}


def refusals(path, ask=None):
    """Calls the server that opens a house for every refusal."""
    data = ask and json.dumps(ask).encode()
    with urllib.request.urlopen(urllib.request.Request(URL + path, data)) as response:
        return json.load(response)


CASES = refusals("/cases") if URL else []
PAIRS = [(case, lang) for case in CASES for lang in ("en", "zh")]
AT_ONCE = 12


def is_quick(case):
    """Tells the refusals that come at once. They are met one after another, so
    that a busy machine is not taken for a slow gateway."""
    return case["expect"]["requests"] == 1 and case["expect"]["hold_s"] == 0


@dataclass
class Met:
    """What came of one call."""

    answer: object
    error: Exception | None
    seconds: float
    house: dict


def settings(ask, url, lang):
    """The settings of a client with the credential and the headers of a case."""
    headers = {**ask["headers"], "weir-lang": lang}
    if not ask["key"]:
        headers["Authorization"] = anthropic.Omit()  # or the SDK insists on a key
    return {
        "base_url": url + ask["prefix"],
        "api_key": None if ask["bearer"] or not ask["key"] else ask["key"],
        "auth_token": ask["key"] if ask["bearer"] else None,
        "default_headers": headers,
    }


def params(ask):
    content = "hi" + " weir" * (ask["filler"] // 5)
    return {
        "model": ask["model"],
        "max_tokens": 64,
        "messages": [{"role": "user", "content": content}],
        "stream": ask["stream"],
    }


def meet(case, lang, http, name="python"):
    """Makes one call with the blocking client."""
    ask = case["ask"]
    house = refusals("/open", {"case": case["name"], "client": name})
    client = anthropic.Anthropic(http_client=http, **settings(ask, house["url"], lang))
    wanted, answer, error = params(ask), None, None
    began = time.monotonic()
    try:
        if ask["models"]:
            client.models.list()
        else:
            answer = client.messages.create(**wanted)
            if ask["stream"]:
                answer = [event.type for event in answer]
    except anthropic.AnthropicError as e:
        error = e
    seconds = time.monotonic() - began
    return Met(answer, error, seconds, refusals("/close", {"id": house["id"], "seconds": seconds}))


async def meet_async(case, lang, http, places):
    """Makes one call with the asynchronous client."""
    ask = case["ask"]
    async with places:
        house = await asyncio.to_thread(refusals, "/open", {"case": case["name"], "client": "python-async"})
        client = anthropic.AsyncAnthropic(http_client=http, **settings(ask, house["url"], lang))
        wanted, answer, error = params(ask), None, None
        began = time.monotonic()
        try:
            if ask["models"]:
                await client.models.list()
            else:
                answer = await client.messages.create(**wanted)
                if ask["stream"]:
                    answer = [event.type async for event in answer]
        except anthropic.AnthropicError as e:
            error = e
        seconds = time.monotonic() - began
        closed = await asyncio.to_thread(refusals, "/close", {"id": house["id"], "seconds": seconds})
        return Met(answer, error, seconds, closed)


async def meet_all_async(pairs, at_once):
    places = asyncio.Semaphore(at_once)
    async with anthropic.DefaultAsyncHttpxClient() as http:
        return await asyncio.gather(*(meet_async(case, lang, http, places) for case, lang in pairs))


def meet_all(pairs, at_once):
    """Meets all of pairs with both clients, each at_once at a time."""
    with anthropic.DefaultHttpxClient() as http, ThreadPoolExecutor(at_once + 1) as pool:
        asked = pool.submit(asyncio.run, meet_all_async(pairs, at_once))
        met = list(pool.map(lambda pair: meet(*pair, http), pairs))
        for name, results in ("python", met), ("python-async", asked.result()):
            yield from ((name, case["name"], lang, m) for (case, lang), m in zip(pairs, results))


@pytest.fixture(scope="session")
def met():
    """What came of all calls, by client, case and language."""
    with anthropic.DefaultHttpxClient() as http:
        meet(CASES[0], "en", http, "warm-up")  # imports half of the SDK
    quick = [pair for pair in PAIRS if is_quick(pair[0])]
    slow = [pair for pair in PAIRS if not is_quick(pair[0])]
    return {came[:3]: came[3] for came in (*meet_all(quick, 1), *meet_all(slow, AT_ONCE))}


def has_han(words):
    return re.search("[一-鿿]", words) is not None


def check(error, expect, lang):
    assert isinstance(error, CLASSES[expect["status"]]), f"{error!r}"
    assert error.status_code == expect["status"]
    assert error.type == expect["type"]
    assert (error.error_code or "") == expect["code"]
    assert error.api_message
    if not expect["own"]:
        return
    said = [error.api_message]
    if expect["facts"]:
        facts = error.body["error"]["details"]["weir"]
        said.append(facts["hint"])
        assert facts["scope"] and facts["who"]
    for words in said:
        assert has_han(words) == (lang == "zh"), words
    assert error.api_message in str(error) or repr(error.api_message)[1:-1] in str(error), "what is printed"


@pytest.mark.skipif(not URL, reason="REFUSALS_URL is not set: there is nobody who refuses")
@pytest.mark.parametrize("client", ["python", "python-async"])
@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_refusal(met, case, lang, client):
    came, expect = met[client, case["name"], lang], case["expect"]
    if expect["served"]:
        assert came.error is None
        assert text(came.answer), "it came back when it was told to"
    else:
        assert came.error is not None, f"it was not refused, but got {came.answer}"
        check(came.error, expect, lang)
    assert came.house["requests"] == expect["requests"]
    assert came.seconds <= expect["within_s"]
    assert came.house["broken_promises"] == ""
