import os

from conftest import MODEL, ask, eventually, gateway, new_client, text, tokens, upstream

WEATHER = ask(
    "What is the weather in Lyon?",
    200,
    tools=[
        {
            "name": "get_weather",
            "input_schema": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        }
    ],
)
FORCED = {"tool_choice": {"type": "tool", "name": "get_weather"}}


def tool_use(message):
    """The only tool call of a message, checked."""
    assert message.stop_reason == "tool_use"
    (use,) = [block for block in message.content if block.type == "tool_use"]
    assert use.name == "get_weather"
    assert use.id
    assert isinstance(use.input, dict)
    return use


def test_create():
    client, count = new_client("main")
    message = client.messages.create(**ask("Say hello."))
    assert text(message)
    assert message.role == "assistant"
    assert message.model == MODEL
    assert message.id and message.stop_reason
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0
    assert message._request_id, "the upstream request-id is passed on"
    assert count.sent == 1


@gateway
def test_base_url_with_version():
    """The commonest mistake in setting it. The simulator, like the API, does not forgive it."""
    client, _ = new_client("main")
    client = client.with_options(base_url=os.environ["WEIR_URL"] + "/v1")
    assert text(client.messages.create(**ask("Say hello.")))


def test_stream():
    client, _ = new_client("main")
    events, deltas = [], ""
    for event in client.messages.create(**ask("Tell me about weirs.", 200), stream=True):
        if not events or events[-1] != event.type:
            events.append(event.type)
        if event.type == "content_block_delta":
            deltas += event.delta.text
    assert events == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert deltas


def test_stream_assembled():
    client, _ = new_client("main")
    with client.messages.stream(**ask("Tell me about weirs.", 200)) as stream:
        deltas = "".join(stream.text_stream)
        message = stream.get_final_message()
    assert deltas
    assert text(message) == deltas
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 1
    assert message.stop_reason


def test_tool_use():
    client, _ = new_client("main")
    first = client.messages.create(**WEATHER, **FORCED)
    result = {
        "type": "tool_result",
        "tool_use_id": tool_use(first).id,
        "content": "18 degrees, light rain",
    }
    conversation = WEATHER["messages"] + [
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [result]},
    ]
    second = client.messages.create(**{**WEATHER, "messages": conversation})
    assert second.stop_reason != "tool_use"
    assert text(second)


def test_tool_use_streamed():
    client, _ = new_client("main")
    with client.messages.stream(**WEATHER, **FORCED) as stream:
        tool_use(stream.get_final_message())


def test_count_tokens():
    client, _ = new_client("main")
    params = ask("How long is this?")
    del params["max_tokens"]
    assert client.messages.count_tokens(**params).input_tokens > 0


def test_models():
    client, _ = new_client("main")
    assert MODEL in [info.id for info in client.models.list()]
    info = client.models.retrieve(MODEL)
    assert info.id == MODEL
    assert info.display_name


def test_cancel_mid_stream():
    client, _ = new_client("cancel")
    long = 50_000  # tokens, many seconds' worth
    stream = client.messages.create(**ask("Count to ten thousand.", 64_000), stream=True, **tokens(long))
    seen = 0
    for event in stream:
        seen += event.type == "content_block_delta"
        if seen == 3:
            break
    stream.close()
    # The upstream goes on charging as long as it does not know.
    produced = [-1]

    def stopped():
        produced.append(upstream("cancel")["output_tokens"])
        return produced[-1] == produced[-2]

    eventually(5, "the upstream sees that the client has left", stopped)
    assert 0 < produced[-1] < long / 2
