// What the tests of this suite share. WEIR_URL is what the SDK takes for the
// API, SIM_URL the simulator behind it, WEIR_SUITE the part of the keys that
// the scenario reserves for this suite. `make conformance` sets all three.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';

export const model = 'claude-sonnet-5';

/** Skips what only a gateway can do when the SDK talks to the simulator. */
export const gateway = process.env.WEIR_DIRECT ? { skip: 'WEIR_DIRECT: no gateway to test' } : {};

function env(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run this suite by make conformance`);
  return value;
}

/**
 * A client of the organization that the scenario gives this suite for a
 * purpose. sent() counts the HTTP requests of the SDK, its retries included.
 */
export function newClient(purpose, options = {}) {
  let count = 0;
  const client = new Anthropic({
    baseURL: env('WEIR_URL'),
    apiKey: `sk-ant-api03-${env('WEIR_SUITE')}-${purpose}`,
    fetch: (url, init) => {
      count++;
      return fetch(url, init);
    },
    ...options,
  });
  return { client, sent: () => count };
}

export const ask = (content, max_tokens = 64) => ({
  model,
  max_tokens,
  messages: [{ role: 'user', content }],
});

export const text = (message) =>
  message.content
    .filter((block) => block.type === 'text')
    .map((block) => block.text)
    .join('');

/** What the simulator has charged the organization of a purpose: requests that were let in, and tokens. */
export async function upstream(purpose) {
  const response = await fetch(`${env('SIM_URL')}/sim/stats`);
  assert.equal(response.status, 200);
  const { buckets } = await response.json();
  const charged = { requests: 0, output_tokens: 0 };
  for (const bucket of buckets) {
    if (bucket.organization === `${env('WEIR_SUITE')}-${purpose}`) charged[bucket.limiter] += bucket.admitted;
  }
  return charged;
}

/** Makes the simulator answer with n tokens. */
export const tokens = (n) => ({ headers: { 'x-sim-output-tokens': `${n}` } });

/** Polls until ok() resolves to true. */
export async function eventually(milliseconds, what, ok) {
  const until = Date.now() + milliseconds;
  while (!(await ok())) {
    assert.ok(Date.now() < until, `not within ${milliseconds} ms: ${what}`);
    await sleep(200);
  }
}

/**
 * Makes a request whose output leaves the organization's output bucket so deep
 * in debt that the next request has to wait 92 s, and on top of that as long as
 * the gateway thinks prudent.
 */
export async function drain(purpose) {
  const { client } = newClient(purpose);
  await client.messages.stream(ask('Write at great length.', 64_000), tokens(20_000)).finalMessage();
}
