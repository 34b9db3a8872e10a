"""What the tests of this suite share.

WEIR_URL is what the SDK takes for the API, SIM_URL the simulator behind it,
WEIR_SUITE the part of the keys that the scenario reserves for this suite;
`make conformance` sets all three.
"""

import asyncio
import json
import os
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import anthropic
import pytest

MODEL = "claude-sonnet-5"

gateway = pytest.mark.skipif("WEIR_DIRECT" in os.environ, reason="WEIR_DIRECT: no gateway to test")


class Count:
    """How many HTTP requests the SDK has made, its own retries included."""

    def __init__(self):
        self.sent = 0

    def add(self, _request):
        self.sent += 1

    async def add_async(self, _request):
        self.sent += 1


def settings(purpose):
    """The settings of a client of the organization that the scenario gives this suite for a purpose."""
    return {
        "base_url": os.environ["WEIR_URL"],
        "api_key": f"sk-ant-api03-{os.environ['WEIR_SUITE']}-{purpose}",
    }


def new_client(purpose, **options):
    """Returns a client and the count of its requests."""
    count = Count()
    http = anthropic.DefaultHttpxClient(event_hooks={"request": [count.add]})
    return anthropic.Anthropic(**settings(purpose), http_client=http, **options), count


def ask(content, max_tokens=64, **more):
    return {
        "model": MODEL,
        "max_tokens": max_tokens,
        "messages": [{"role": "user", "content": content}],
        **more,
    }


def text(message):
    return "".join(block.text for block in message.content if block.type == "text")


def upstream(purpose):
    """What the simulator has charged the organization of a purpose: requests that were let in, and tokens."""
    with urllib.request.urlopen(os.environ["SIM_URL"] + "/sim/stats") as response:
        buckets = json.load(response)["buckets"]
    ours = [b for b in buckets if b["organization"] == f"{os.environ['WEIR_SUITE']}-{purpose}"]
    return {b["limiter"]: b["admitted"] for b in ours}


def tokens(n):
    """Makes the simulator answer with n tokens."""
    return {"extra_headers": {"x-sim-output-tokens": str(n)}}


def drain(purpose):
    """Makes a request whose output leaves the organization's output bucket so
    deep in debt that the next request has to wait 92 s, and on top of that
    as long as the gateway thinks prudent."""
    client, _ = new_client(purpose)
    with client.messages.stream(**ask("Write at great length.", 64_000), **tokens(20_000)) as stream:
        stream.until_done()


def eventually(seconds, what, ok):
    """Polls until ok() is true."""
    until = time.monotonic() + seconds
    while not ok():
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
        time.sleep(0.2)


@dataclass
class Held:
    message: object
    took: float
    sent: int


def hold_json():
    drain("hold-json")
    client, count = new_client("hold-json")
    began = time.monotonic()
    message = client.messages.create(**ask("Say hello."))
    return Held(message, time.monotonic() - began, count.sent)


def hold_sse():
    """Uses the asynchronous client, so that it is tested too."""
    drain("hold-sse")
    count = Count()

    async def request():
        http = anthropic.DefaultAsyncHttpxClient(event_hooks={"request": [count.add_async]})
        async with anthropic.AsyncAnthropic(**settings("hold-sse"), http_client=http) as client:
            async with client.messages.stream(**ask("Say hello.")) as stream:
                return await stream.get_final_message()

    began = time.monotonic()
    message = asyncio.run(request())
    return Held(message, time.monotonic() - began, count.sent)


@dataclass
class Refused:
    error: anthropic.APIStatusError
    took: float
    after: int
    reached_upstream: int


def refused():
    """A caller that will not wait is refused, and comes back when it was told to."""
    drain("short")
    client, _ = new_client("short", max_retries=0)
    began = time.monotonic()
    with pytest.raises(anthropic.APIStatusError) as caught:
        client.messages.create(**ask("Say hello."), extra_headers={"weir-max-wait": "1s"})
    error, took = caught.value, time.monotonic() - began
    held_back = Refused(error, took, int(error.response.headers.get("retry-after", 0)), upstream("short")["requests"])
    time.sleep(held_back.after)
    client.messages.create(**ask("Say hello."), extra_headers={"weir-max-wait": "5s"})
    return held_back


@pytest.fixture(scope="session", autouse=True)
def waits():
    """The long waits, started with the session so that the other tests run meanwhile."""
    if "WEIR_DIRECT" in os.environ:
        yield {}
        return
    with ThreadPoolExecutor() as pool:
        yield {f.__name__: pool.submit(f) for f in (hold_json, hold_sse, refused)}
