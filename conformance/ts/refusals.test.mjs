// Meets every refusal of conformance/refusals, in both languages, with the
// retries that the SDK makes by default.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { text } from './help.mjs';

const url = process.env.REFUSALS_URL;

async function refusals(path, ask) {
  const response = await fetch(url + path, ask && { method: 'POST', body: JSON.stringify(ask) });
  assert.ok(response.ok, `${path}: ${response.ok || (await response.text())}`);
  return response.json();
}

/** A client with the credential and the headers of a case. */
function newClient({ ask }, baseURL, lang) {
  const defaultHeaders = { ...ask.headers, 'weir-lang': lang };
  if (!ask.key) defaultHeaders.authorization = null; // or the SDK insists on a key
  return new Anthropic({
    baseURL: baseURL + ask.prefix,
    apiKey: ask.key && !ask.bearer ? ask.key : null,
    authToken: ask.bearer ? ask.key : null,
    defaultHeaders,
  });
}

/** Makes the request of a case. */
async function request(client, { ask }) {
  if (ask.models) return client.models.list();
  const params = {
    model: ask.model,
    max_tokens: 64,
    messages: [{ role: 'user', content: 'hi' + ' weir'.repeat(ask.filler / 5) }],
  };
  if (!ask.stream) return client.messages.create(params);
  for await (const event of await client.messages.create({ ...params, stream: true })) {
    assert.notEqual(event.type, 'message_stop', 'a stream that failed');
  }
}

const classes = {
  400: Anthropic.BadRequestError,
  401: Anthropic.AuthenticationError,
  402: Anthropic.PaymentRequiredError,
  403: Anthropic.PermissionDeniedError,
  404: Anthropic.NotFoundError,
  413: Anthropic.ContentTooLargeError,
  429: Anthropic.RateLimitError,
  500: Anthropic.InternalServerError,
  502: Anthropic.InternalServerError,
  503: Anthropic.ServiceUnavailableError,
  529: Anthropic.OverloadedError,
};

const han = /\p{Script=Han}/u;

function check(error, { expect }, lang) {
  const wanted = classes[expect.status] ?? Anthropic.APIError;
  assert.ok(error instanceof wanted, `${error} is no ${wanted.name}`);
  if (expect.status !== 200) assert.equal(error.status, expect.status);
  assert.equal(error.type, expect.type);
  assert.equal(error.errorCode ?? '', expect.code);
  assert.ok(error.apiMessage, 'words');
  if (!expect.own) return;
  const facts = error.details.weir;
  const said = expect.facts ? [error.apiMessage, facts.hint] : [error.apiMessage];
  for (const words of said) assert.equal(han.test(words), lang === 'zh', words);
  assert.ok(error.message.includes(JSON.stringify(error.apiMessage).slice(1, -1)), `what is printed: ${error.message}`);
  assert.ok(!expect.facts || (facts.scope && facts.who), 'facts');
}

async function meet(refusal, lang) {
  const house = await refusals('/open', { case: refusal.name, client: process.env.WEIR_SUITE });
  const client = newClient(refusal, house.url, lang);
  const began = performance.now();
  const [answer, error] = await request(client, refusal).then((a) => [a], (e) => [undefined, e]);
  const seconds = (performance.now() - began) / 1000;
  const met = await refusals('/close', { id: house.id, seconds });
  const { expect } = refusal;
  if (expect.served) {
    assert.ifError(error);
    assert.ok(text(answer), 'it came back when it was told to');
  } else {
    assert.ok(error, 'it was not refused');
    check(error, refusal, lang);
  }
  assert.equal(met.requests, expect.requests, 'requests');
  assert.ok(seconds <= expect.within_s, `${seconds} s, want ${expect.within_s} at most`);
  assert.equal(met.broken_promises, '');
}

if (url) {
  const cases = await refusals('/cases');
  // Those that come at once are met one after another, so that a busy machine
  // is not taken for a slow gateway.
  const quick = ({ expect }) => expect.requests === 1 && expect.hold_s === 0;
  const all = (some) => {
    for (const refusal of some) {
      for (const lang of ['en', 'zh']) test(`${refusal.name}, ${lang}`, () => meet(refusal, lang));
    }
  };
  describe('refusals at once', { concurrency: 1 }, () => all(cases.filter(quick)));
  describe('refusals', { concurrency: 16 }, () => all(cases.filter((c) => !quick(c))));
} else {
  test('refusals', { skip: 'REFUSALS_URL is not set: there is nobody who refuses' });
}
