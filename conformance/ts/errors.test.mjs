import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import { ask, drain, gateway, newClient, text, upstream } from './help.mjs';

const faults = [
  ['invalid request', 'main', { max_tokens: -1 }, Anthropic.BadRequestError, 'invalid_request_error'],
  ['no messages', 'main', { messages: [] }, Anthropic.BadRequestError, 'invalid_request_error'],
  ['bad key', 'nobody', {}, Anthropic.AuthenticationError, 'authentication_error'],
  ['unknown model', 'main', { model: 'claude-nonesuch-9' }, Anthropic.NotFoundError, 'not_found_error'],
  ['oversized', 'main', { system: 'weir '.repeat((33 << 20) / 5) }, Anthropic.ContentTooLargeError, 'request_too_large'],
];

// The upstream's words and Weir's.
const capped = /API usage limits|spend (cap|limit)/;
const caps = [
  ['cap', Anthropic.RateLimitError, 'rate_limit_error', capped],
  ['owncap', Anthropic.BadRequestError, 'invalid_request_error', capped],
  ['credit', Anthropic.BadRequestError, 'invalid_request_error', /credit/],
];

describe('errors', { concurrency: true }, () => {
  for (const [name, purpose, change, wanted, type] of faults) {
    test(name, async () => {
      const { client, sent } = newClient(purpose);
      await assert.rejects(client.messages.create({ ...ask('Say hello.'), ...change }), (error) => {
        assert.ok(error instanceof wanted, `${error} is no ${wanted.name}`);
        assert.equal(error.type, type);
        return true;
      });
      assert.equal(sent(), 1, 'not retried');
    });
  }

  // Once the client has content nobody may retry; it gets what came and a plain error.
  test('a failure mid-stream', async () => {
    const { client, sent } = newClient('main');
    const stream = await client.messages.create(
      { ...ask('Say hello.', 200), stream: true },
      { headers: { 'x-sim-output-tokens': '100', 'x-sim-fault': 'error_event@4' } },
    );
    const events = new Set();
    await assert.rejects(
      async () => {
        for await (const event of stream) events.add(event.type);
      },
      (error) => {
        assert.ok(error instanceof Anthropic.APIError, `${error} is no APIError`);
        assert.equal(error.type, 'overloaded_error');
        return true;
      },
    );
    assert.ok(events.has('content_block_delta') && !events.has('message_stop'), [...events].join());
    assert.equal(sent(), 1);
  });

  test('529 is absorbed', gateway, async () => {
    // The scenario answers nearly half of the requests for this model with 529.
    const n = 16;
    const params = { ...ask('Say hello.'), model: 'claude-haiku-4-5' };
    const { client, sent } = newClient('overload');
    const answers = await Promise.all(
      Array.from({ length: n }, () => client.messages.create(params).withResponse()),
    );
    let attempts = 0;
    for (const { data, response } of answers) {
      assert.ok(text(data));
      attempts += Number(response.headers.get('weir-attempts'));
    }
    assert.equal(sent(), n);
    assert.ok(attempts > n, `${attempts} attempts: many requests meet a 529`);
  });

  for (const [purpose, wanted, type, words] of caps) {
    test(`spend limit: ${purpose}`, gateway, async () => {
      // First from the upstream, then from what Weir has learned.
      for (let i = 0; i < 2; i++) {
        const { client, sent } = newClient(purpose);
        const began = Date.now();
        await assert.rejects(client.messages.create(ask('Say hello.')), (error) => {
          assert.ok(error instanceof wanted, `${error} is no ${wanted.name}`);
          assert.equal(error.type, type);
          assert.match(error.apiMessage, words);
          return true;
        });
        assert.equal(sent(), 1, 'not retried');
        assert.ok(Date.now() - began < 20_000, 'refused at once');
      }
    });
  }

  test('a short deadline', gateway, async () => {
    await drain('short');
    const { client } = newClient('short', { maxRetries: 0 });
    const began = Date.now();
    let after;
    await assert.rejects(client.messages.create(ask('Say hello.'), { headers: { 'weir-max-wait': '1s' } }), (error) => {
      assert.ok(error instanceof Anthropic.RateLimitError, `${error} is no RateLimitError`);
      assert.equal(error.type, 'rate_limit_error');
      after = Number(error.headers.get('retry-after'));
      assert.ok(after >= 2 && after <= 60, `retry-after ${after}`);
      return true;
    });
    assert.ok(Date.now() - began < 20_000);
    assert.equal((await upstream('short')).requests, 1, 'only the one that drained the quota');
    await sleep(after * 1000);
    assert.ok(text(await client.messages.create(ask('Say hello.'), { headers: { 'weir-max-wait': '5s' } })), 'retry-after is true');
  });
});
