import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { ask, drain, gateway, newClient, text, upstream } from './help.mjs';

const faults = [
  ['invalid request', 'main', { max_tokens: -1 }, Anthropic.BadRequestError, 'invalid_request_error'],
  ['no messages', 'main', { messages: [] }, Anthropic.BadRequestError, 'invalid_request_error'],
  ['bad key', 'nobody', {}, Anthropic.AuthenticationError, 'authentication_error'],
  ['unknown model', 'main', { model: 'claude-nonesuch-9' }, Anthropic.NotFoundError, 'not_found_error'],
  ['oversized', 'main', { system: 'weir '.repeat((33 << 20) / 5) }, Anthropic.ContentTooLargeError, 'request_too_large'],
];

const caps = [
  ['cap', Anthropic.RateLimitError, 'rate_limit_error', /API usage limits/],
  ['owncap', Anthropic.BadRequestError, 'invalid_request_error', /API usage limits/],
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

  test('529 is absorbed', gateway, async () => {
    const { client, sent } = newClient('overload');
    assert.ok(text(await client.messages.create(ask('Say hello.'))));
    assert.equal(sent(), 1);
    assert.ok((await upstream('overload')).requests >= 2, 'the overloaded ones did reach the upstream');
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
        assert.ok(Date.now() - began < 5000, 'refused at once');
      }
    });
  }

  test('a short deadline', gateway, async () => {
    await drain('short');
    const { client } = newClient('short', { maxRetries: 0, defaultHeaders: { 'weir-max-wait': '1s' } });
    const began = Date.now();
    await assert.rejects(client.messages.create(ask('Say hello.')), (error) => {
      assert.ok(error instanceof Anthropic.RateLimitError, `${error} is no RateLimitError`);
      assert.equal(error.type, 'rate_limit_error');
      const after = Number(error.headers.get('retry-after'));
      assert.ok(after >= 1 && after <= 60, `retry-after ${after}`);
      return true;
    });
    assert.ok(Date.now() - began < 5000);
    assert.equal((await upstream('short')).requests, 1, 'only the one that drained the quota');
  });
});
