// The playground and the login, in Chromium: what a person sees while a message
// waits, what each refusal tells, and that nothing is sent twice by itself.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { browse, stage, start, stop } from './harness.mjs';

/** counts the messages that a page sends. */
function posts(page) {
  const sent = [];
  page.on('request', (r) => r.method() === 'POST' && sent.push(r));
  return sent;
}

async function say(page, words) {
  await page.locator('#model').fill('claude-sonnet-5');
  await page.locator('#prompt').fill(words);
  await page.locator('#send').click();
}

describe('the playground', () => {
  let running, browser, page, sent;

  before(async () => {
    running = await stage();
    browser = await browse(`${running.addresses.busy}/playground`);
    page = browser.page;
    sent = posts(page);
  });

  after(async () => {
    await browser?.close();
    await running?.close();
  });

  const fresh = async () => {
    await page.locator('#clear').click();
    sent.length = 0;
  };

  test('offers the models of the gateway', async () => {
    await page.locator('#models option[value="claude-opus-5"]').waitFor({ state: 'attached' });
    assert.equal(await page.locator('#key-part').isVisible(), false);
  });

  test('streams an answer and tells what it took', async () => {
    await fresh();
    await say(page, 'What is a weir?');
    await page.locator('.bill span').nth(1).waitFor();
    const answer = page.locator('.turn[data-who="assistant"]').last();
    assert.equal(await answer.locator('.said').textContent(), 'A weir holds a river back just enough that it never floods.');
    assert.match(await answer.locator('.bill').textContent(), /42 tokens in, 15 out/);
    assert.equal(await page.locator('#wait').isVisible(), false);
    const body = sent[0].postDataJSON();
    assert.deepEqual([sent.length, body.stream, body.messages], [1, true, [{ role: 'user', content: 'What is a weir?' }]]);
  });

  test('counts down, and tells the place in the queue', async () => {
    await fresh();
    await say(page, 'wait in the queue');
    await page.locator('#wait-text:not(:empty)').waitFor();
    const places = [];
    const times = [];
    while (await page.locator('#wait').isVisible()) {
      const [place, time] = await page.evaluate(() => [document.querySelector('#wait-text').textContent, document.querySelector('#wait-clock').textContent]);
      if (/Place (\d+)/.test(place)) places.push(Number(place.match(/Place (\d+)/)[1]));
      if (/^\d+ s$/.test(time)) times.push(parseInt(time, 10));
      await sleep(150);
    }
    assert.ok(new Set(places).size >= 2 && places.every((p, i) => i === 0 || p <= places[i - 1]), `places ${places}`);
    assert.ok(new Set(times).size >= 3, `times ${times}`);
    await page.locator('.bill span').first().waitFor();
    assert.equal(sent.length, 1);
  });

  for (const [word, kind, title, hint] of [
    ['wait', 'wait', /quota is used up/, /Allow a longer wait/],
    ['cap', 'cap', /may not spend more/, /Ask for a higher tier/],
    ['busy', 'busy', /Anthropic is busy/, /Nothing is wrong/],
    ['yours', 'yours', /must be changed/, /Split the text/],
  ]) {
    test(`tells "${word}" apart, and sends again only when told to`, async () => {
      await fresh();
      await say(page, word);
      const notice = page.locator('#notice');
      await notice.waitFor();
      assert.equal(await notice.getAttribute('data-kind'), kind);
      assert.match(await page.locator('#notice-title').textContent(), title);
      assert.match(await page.locator('#notice-hint').textContent(), hint);
      if (word === 'wait') assert.match(await page.locator('#notice-time').textContent(), /worth trying in \d+ s/);
      if (word === 'cap') assert.match(await page.locator('#notice-time').textContent(), /Dec 1, 2026|Nov 30, 2026/);
      await sleep(1200);
      assert.equal(sent.length, 1, 'it sent again by itself');
      await page.locator('#retry').click();
      await page.waitForFunction(() => !document.querySelector('#notice').hidden);
      assert.equal(sent.length, 2);
      assert.equal(await page.locator('.turn[data-who="user"]').count(), 1);
    });
  }

  test('stops when told to, and gives the message back', async () => {
    await fresh();
    await say(page, 'stop me in the queue');
    await page.locator('#stop').click();
    await page.waitForFunction(() => !document.querySelector('#send').disabled);
    assert.equal(await page.locator('#prompt').inputValue(), 'stop me in the queue');
    assert.equal(await page.locator('.turn').count(), 0);
    assert.equal(await page.locator('#notice').isVisible(), false);
  });

  test('keeps a key in memory alone', async () => {
    const other = await browse(`${running.addresses.keyed}/playground`);
    try {
      await other.page.locator('#key').fill('sk-ant-api03-secret');
      const sentThere = posts(other.page);
      await say(other.page, 'hello');
      await other.page.locator('.bill span').first().waitFor();
      assert.equal(sentThere[0].headers()['x-api-key'], 'sk-ant-api03-secret');
      const kept = await other.page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie);
      assert.doesNotMatch(kept, /secret/);
      await other.page.reload();
      assert.equal(await other.page.locator('#key').inputValue(), '');
    } finally {
      await other.close();
    }
  });

  test('is clean: no errors, nothing from another host', () => assert.deepEqual(browser.faults, []));
});

describe('the login', () => {
  let running, browser, page;

  before(async () => {
    running = await stage();
    browser = await browse(running.addresses.login);
    page = browser.page;
  });

  after(async () => {
    await browser?.close();
    await running?.close();
  });

  test('leads to what one wanted, and out again', async () => {
    await page.waitForURL(/\/login\?next=%2F$/);
    await page.locator('#token').fill('not the token');
    await page.locator('.go').click();
    await page.locator('#wrong:not(:empty)').waitFor();
    await page.locator('#token').fill('open-sesame-open-sesame');
    await page.locator('.go').click();
    await page.locator('.gauge').first().waitFor();
    assert.equal(new URL(page.url()).pathname, '/');
    assert.equal(await page.evaluate(() => document.cookie), '', 'scripts can read the session');
    await page.locator('#logout').click();
    await page.waitForURL(/\/login/);
    const answer = await page.request.get(`${running.addresses.login}/api/v1/quota`);
    assert.equal(answer.status(), 401);
  });
});

describe('the playground of a real gateway', () => {
  let sim, gateway, browser;

  before(async () => {
    const simulator = start(['sim', '--listen', '127.0.0.1:0'], [/at (http:\/\/127\.0\.0\.1:\d+)/]);
    sim = simulator.program;
    const [api] = await simulator.addresses;
    const started = start(['serve', '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--upstream', api], [/admin plane (http:\S+)/], { ANTHROPIC_API_KEY: 'sk-ant-any' });
    gateway = started.program;
    const [admin] = await started.addresses;
    browser = await browse(`${admin}/playground`);
  });

  after(async () => {
    await browser?.close();
    await stop(gateway);
    await stop(sim);
  });

  test('answers, and the page shows the call', async () => {
    const { page } = browser;
    await say(page, 'Hello, weir.');
    await page.locator('.bill span').nth(2).waitFor();
    assert.match(await page.locator('.turn[data-who="assistant"] .said').textContent(), /\S/);
    assert.match(await page.locator('.bill').last().textContent(), /tokens in, \d+ out.*took/);
    await page.locator('#nav a').first().click();
    await page.locator('#requests tr').filter({ hasText: 'playground' }).waitFor();
    assert.deepEqual(browser.faults, []);
  });
});
