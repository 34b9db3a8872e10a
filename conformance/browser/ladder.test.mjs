// The page tells which rungs of the degradation ladder are in force, for whom
// and why; of a ladder on trial, what it would have done.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { browse, stage } from './harness.mjs';

describe('the ladder on the page', () => {
  let running;

  before(async () => {
    running = await stage();
  });

  after(() => running?.close());

  const open = async (t, state) => {
    const browser = await browse(running.addresses[state]);
    t.after(() => browser.close());
    await browser.page.locator('#link[data-link="live"]').waitFor();
    return browser;
  };
  const rung = (page, name) => page.locator(`#ladder tr[data-rung="${name}"]`);

  test('is not there where there is none', async (t) => {
    const { page } = await open(t, 'empty');
    await page.locator('#version:not(:empty)').waitFor();
    assert.ok(await page.locator('#degraded-part').isHidden());
  });

  test('says what /api/v1/degradation does', async (t) => {
    const { page, faults } = await open(t, 'busy');
    await rung(page, 'thinking').waitFor();
    const { rungs } = await (await fetch(`${running.addresses.busy}/api/v1/degradation`)).json();
    assert.deepEqual(await page.locator('#ladder tbody tr').evaluateAll((rows) => rows.map((r) => r.dataset.rung)), rungs.map((r) => r.rung));
    assert.deepEqual(await page.locator('#ladder tbody tr').evaluateAll((rows) => rows.map((r) => r.dataset.state)), ['on', 'on', 'off', 'off']);
    const thinking = await rung(page, 'thinking').textContent();
    for (const word of ['in force', 'normal · claude-opus-5, since', 'headroom = 0.14', 'from headroom < 0.2', 'until headroom > 0.5']) assert.ok(thinking.includes(word), `${word}: ${thinking}`);
    assert.match(await rung(page, 'max_tokens').textContent(), /batch · batch-import · claude-opus-5.*and 6 more/);
    assert.match(await rung(page, 'trim').textContent(), /cannot be told: division by zero/);
    await page.locator('#degraded tbody tr', { hasText: 'lower max_tokens, another model' }).waitFor();
    await page.locator('#language').click();
    await page.waitForFunction(() => /生效中/.test(document.querySelector('#ladder')?.textContent));
    assert.match(await rung(page, 'max_tokens').textContent(), /降低 max_tokens.*还有 6 处/);
    assert.deepEqual(faults, []);
  });

  test('tells of a trial what it would have done', async (t) => {
    const { page } = await open(t, 'outage');
    await rung(page, 'thinking').waitFor();
    assert.match(await page.locator('#ladder-help').textContent(), /on trial/);
    assert.match(await rung(page, 'thinking').textContent(), /would be in force.*1,204/);
  });
});
