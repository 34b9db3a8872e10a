import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ask, drain, gateway, newClient, text, upstream } from './help.mjs';

const requests = {
  json: (client) => client.messages.create(ask('Say hello.')),
  sse: (client) => client.messages.stream(ask('Say hello.')).finalMessage(),
};

describe('a request that the quota holds back for 100 s', { concurrency: true, ...gateway }, () => {
  for (const [form, request] of Object.entries(requests)) {
    test(form, async (t) => {
      const purpose = `hold-${form}`;
      await drain(purpose);
      const { client, sent } = newClient(purpose);
      const began = Date.now();
      const message = await request(client);
      const took = (Date.now() - began) / 1000;
      t.diagnostic(`held for ${took} s`);
      assert.ok(text(message));
      assert.ok(took > 95 && took < 190, `held for ${took} s, want 95 to 190`);
      assert.equal(sent(), 1, 'requests of the SDK');
      assert.equal((await upstream(purpose)).requests, 2, 'one drained the quota, one was held');
    });
  }
});
