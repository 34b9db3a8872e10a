import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { APIUserAbortError } from '@anthropic-ai/sdk';
import { ask, eventually, gateway, model, newClient, text, tokens, upstream } from './help.mjs';

const weather = {
  ...ask('What is the weather in Lyon?', 200),
  tools: [
    {
      name: 'get_weather',
      input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
    },
  ],
  tool_choice: { type: 'tool', name: 'get_weather' },
};

/** The only tool call of a message, checked. */
function toolUse(message) {
  assert.equal(message.stop_reason, 'tool_use');
  const uses = message.content.filter((block) => block.type === 'tool_use');
  assert.equal(uses.length, 1);
  assert.equal(uses[0].name, 'get_weather');
  assert.ok(uses[0].id);
  assert.equal(typeof uses[0].input, 'object');
  return uses[0];
}

describe('messages', { concurrency: true }, () => {
  test('create', async () => {
    const { client, sent } = newClient('main');
    const message = await client.messages.create(ask('Say hello.'));
    assert.ok(text(message));
    assert.equal(message.role, 'assistant');
    assert.equal(message.model, model);
    assert.ok(message.id && message.stop_reason);
    assert.ok(message.usage.input_tokens > 0 && message.usage.output_tokens > 0);
    assert.ok(message._request_id, 'the upstream request-id is passed on');
    assert.equal(sent(), 1);
  });

  // The commonest mistake in setting it. The simulator, like the API, does not forgive it.
  test('base URL that ends in /v1', gateway, async () => {
    const { client } = newClient('main', { baseURL: `${process.env.WEIR_URL}/v1` });
    assert.ok(text(await client.messages.create(ask('Say hello.'))));
  });

  test('stream', async () => {
    const { client } = newClient('main');
    const stream = client.messages.stream(ask('Tell me about weirs.', 200));
    const events = [];
    let deltas = '';
    for await (const event of stream) {
      if (event.type !== events.at(-1)) events.push(event.type);
      if (event.type === 'content_block_delta') deltas += event.delta.text;
    }
    assert.deepEqual(events, [
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    const message = await stream.finalMessage();
    assert.ok(deltas);
    assert.equal(text(message), deltas);
    assert.ok(message.usage.input_tokens > 0 && message.usage.output_tokens > 1);
    assert.ok(message.stop_reason);
  });

  test('tool use', async () => {
    const { client } = newClient('main');
    const first = await client.messages.create(weather);
    const use = toolUse(first);
    const second = await client.messages.create({
      ...weather,
      tool_choice: { type: 'auto' },
      messages: [
        ...weather.messages,
        { role: 'assistant', content: first.content },
        {
          role: 'user',
          content: [{ type: 'tool_result', tool_use_id: use.id, content: '18 degrees, light rain' }],
        },
      ],
    });
    assert.notEqual(second.stop_reason, 'tool_use');
    assert.ok(text(second));
  });

  test('tool use, streamed', async () => {
    const { client } = newClient('main');
    toolUse(await client.messages.stream(weather).finalMessage());
  });

  test('count tokens', async () => {
    const { client } = newClient('main');
    const { max_tokens, ...params } = ask('How long is this?');
    const count = await client.messages.countTokens(params);
    assert.ok(count.input_tokens > 0);
  });

  test('models', async () => {
    const { client } = newClient('main');
    const ids = [];
    for await (const info of client.models.list()) ids.push(info.id);
    assert.ok(ids.includes(model), `${model} is among ${ids}`);
    const info = await client.models.retrieve(model);
    assert.equal(info.id, model);
    assert.ok(info.display_name);
  });

  test('cancel mid-stream', async () => {
    const { client } = newClient('cancel');
    const long = 50_000; // tokens, many seconds' worth
    const stream = client.messages.stream(ask('Count to ten thousand.', 64_000), tokens(long));
    let seen = 0;
    await assert.rejects(async () => {
      for await (const event of stream) {
        if (event.type === 'content_block_delta' && ++seen === 3) stream.abort();
      }
    }, APIUserAbortError);
    // The upstream goes on charging as long as it does not know.
    let last = -1;
    await eventually(5000, 'the upstream sees that the client has left', async () => {
      const before = last;
      last = (await upstream('cancel')).output_tokens;
      return last === before;
    });
    assert.ok(last > 0 && last < long / 2, `${last} tokens produced for a client that left at the third`);
  });
});
