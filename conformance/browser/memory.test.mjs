// What the page keeps: the history over a reload, and the wish for desktop
// notifications, which are asked for only at a press.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { browse, stage } from './harness.mjs';

describe('what the page keeps', () => {
  let running, browser, page;

  before(async () => {
    running = await stage();
    browser = await browse(running.addresses.outage);
    page = browser.page;
  });

  after(async () => {
    await browser?.close();
    await running?.close();
  });

  // It is drawn only while it is in view, and what comes above it may push it out.
  const drawn = async () => {
    await page.locator('#history').waitFor();
    await page.waitForFunction(() => {
      const chart = document.querySelector('#history-chart');
      chart.scrollIntoView({ block: 'center' });
      return chart.querySelector('canvas') && /^Chart of the last/.test(chart.getAttribute('aria-label'));
    }, undefined, { polling: 200 });
  };

  test('the history, over a reload', async () => {
    await drawn();
    let times = [];
    for (let i = 0; i < 100 && times.length < 4; i++) {
      ({ times } = await (await fetch(`${running.addresses.outage}/api/v1/history`)).json());
      await sleep(200);
    }
    assert.ok(times.length >= 4, `the gateway has kept ${times}`);
    await page.reload();
    await drawn();
    const past = await page.locator('#history-chart').getAttribute('aria-label');
    const seconds = Number(past.match(/last (\d+(?:\.\d+)?) s/)?.[1]);
    assert.ok(seconds >= 14, `after the reload the chart goes back ${past}`);
    const painted = await page.evaluate(() => {
      const canvas = document.querySelector('#history-chart canvas');
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      return data.some((v, i) => i % 4 === 3 && v > 0);
    });
    assert.ok(painted, 'the chart is empty');
    assert.match(await page.locator('#history-now').textContent(), /^Now [\d,]+ of 450,000 left, \d+ waiting$/);
  });

  test('the warnings of the gateway, in both languages', async () => {
    const { warnings } = await (await fetch(`${running.addresses.outage}/api/v1/warnings`)).json();
    assert.equal(warnings.length, 2);
    const said = () => page.locator('#alerts li span:first-child').allTextContents();
    for (const language of ['en', 'zh']) {
      await page.waitForFunction((l) => document.documentElement.lang.startsWith(l) && document.querySelectorAll('#alerts li').length >= 3, language);
      const all = await said();
      for (const w of warnings) assert.ok(all.some((x) => x.includes(w.text[language].message)), `${w.text[language].message} is not among ${all}`);
      await page.locator('#language').click();
    }
    await page.waitForFunction(() => document.documentElement.lang === 'en' && document.querySelector('#alerts li'));
  });

  test('the choice of another limit and pool', async () => {
    await page.locator('#history-limiter').selectOption('requests');
    await page.waitForFunction(() => document.querySelector('#history-now').textContent.includes('of 1,000 left'));
    const pools = await page.locator('#history-pool option').allTextContents();
    assert.equal(pools.length, 3);
    await page.locator('#history-pool').selectOption({ index: 2 });
    await page.waitForFunction(() => document.querySelector('#history-now').textContent.endsWith(', 0 waiting'));
  });

  test('the wish for notifications, and tells each new alert once', async () => {
    // A headless browser has no desktop: what would be told is listed instead.
    await browser.context.grantPermissions(['notifications'], { origin: new URL(running.addresses.outage).origin });
    await page.addInitScript(() => {
      window.told = [];
      window.asked = 0;
      window.Notification = class {
        static permission = 'granted';
        static requestPermission = async () => {
          window.asked++;
          return 'granted';
        };
        constructor(title, { body }) {
          window.told.push(body);
        }
      };
    });
    await page.reload();
    await page.locator('#alerts li').first().waitFor();
    assert.deepEqual(await page.evaluate(() => [window.asked, window.told.length]), [0, 0], 'it asks or tells before it was wished');
    await page.locator('#notify').click();
    await page.locator('#notify[aria-pressed="true"]').waitFor();
    assert.equal(await page.evaluate(() => window.asked), 1);
    await page.reload();
    await page.locator('#notify[aria-pressed="true"]').waitFor();
    assert.equal(await page.evaluate(() => window.asked), 0, 'it asks again after a reload');
    const told = await page.evaluate(async () => {
      const { notify } = await import('/assets/notify.js');
      const { keys } = (await (await fetch('/api/v1/quota')).json());
      const breaker = { scope: 'api/new', state: 'open', rule: 'outage', cause: 'failing', retry_at: new Date().toISOString() };
      const picture = { quota: { keys }, protection: { breakers: [breaker] }, warnings: [] };
      notify(picture);
      notify(picture);
      return window.told;
    });
    assert.equal(told.filter((x) => /new/.test(x)).length, 1, `told: ${told}`);
    await page.locator('#notify').click();
    await page.locator('#notify[aria-pressed="false"]').waitFor();
    assert.deepEqual(browser.faults, []);
  });
});
