// Everybody can use the page: axe-core finds no serious fault in any state,
// language or theme, nothing is wider than a phone, and the keyboard reaches
// everything.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { browse, stage } from './harness.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const live = (page) => page.locator('#link[data-link="live"]').waitFor();
const figures = (page) => page.locator('.gauge').first().waitFor();

/** say sends a message in the playground. */
async function say(page, words) {
  await page.locator('#model').fill('claude-sonnet-5');
  await page.locator('#prompt').fill(words);
  await page.locator('#send').click();
}

const views = [
  { name: 'empty', state: 'empty', ready: live },
  { name: 'busy', state: 'busy', ready: figures },
  {
    name: 'a story', state: 'busy', ready: async (page) => {
      await figures(page);
      await page.locator('#requests .more').first().click();
      await page.locator('#story .chapters li').first().waitFor();
    },
  },
  { name: 'outage', state: 'outage', ready: (page) => page.locator('#alerts li').first().waitFor() },
  { name: 'blocked', state: 'blocked', ready: (page) => page.locator('#keys tr[data-state="blocked"]').waitFor() },
  { name: 'playground', state: 'keyed', path: '/playground', ready: (page) => page.locator('#key').waitFor() },
  {
    name: 'playground waiting', state: 'busy', path: '/playground', ready: async (page) => {
      await say(page, 'in the queue');
      await page.locator('#wait-text:not(:empty)').waitFor();
    },
  },
  {
    name: 'playground answered', state: 'busy', path: '/playground', ready: async (page) => {
      await say(page, 'hello');
      await page.locator('.bill span').first().waitFor();
    },
  },
  {
    name: 'playground refused', state: 'busy', path: '/playground', ready: async (page) => {
      await say(page, 'cap');
      await page.locator('#notice').waitFor();
    },
  },
  {
    name: 'login', state: 'login', path: '/login', ready: async (page) => {
      await page.locator('#token').fill('wrong');
      await page.locator('.go').click();
      await page.locator('#wrong:not(:empty)').waitFor();
    },
  },
];

describe('every page in every state', () => {
  let running;

  before(async () => {
    running = await stage();
  });

  after(() => running?.close());

  for (const locale of ['en', 'zh-CN']) {
    for (const colorScheme of ['light', 'dark']) {
      test(`is usable in ${locale}, ${colorScheme}`, async (t) => {
        const browser = await browse('about:blank', { locale, colorScheme, viewport: { width: 1280, height: 900 } });
        t.after(() => browser.close());
        for (const view of views) {
          const page = await browser.context.newPage();
          await page.goto(running.addresses[view.state] + (view.path ?? '/'));
          await view.ready(page);
          await page.setViewportSize({ width: 1280, height: Math.min(6000, await page.evaluate(() => document.documentElement.scrollHeight)) });
          await page.evaluate(axe);
          const { violations, passes } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
          const grave = violations.filter((v) => ['serious', 'critical'].includes(v.impact));
          assert.deepEqual(grave.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.html.slice(0, 120)} ${n.any[0]?.message ?? ''}`).slice(0, 3).join(' | ')}`), [], view.name);
          assert.ok(passes.length > 10, view.name);
          const untold = await page.locator('[data-t]:not([data-t=""])').evaluateAll((nodes) => nodes.filter((n) => n.textContent.trim() === '' || /^[a-z]+\.[a-z.]+$/.test(n.textContent)).map((n) => n.dataset.t));
          assert.deepEqual(untold, [], `${view.name}: parts without words`);
          await page.setViewportSize({ width: 390, height: 844 });
          const width = await page.evaluate(() => document.documentElement.scrollWidth);
          assert.ok(width <= 390, `${view.name} is ${width} px wide on a phone`);
          await page.close();
        }
      });
    }
  }

  test('would be found out otherwise', async (t) => {
    const browser = await browse(running.addresses.empty);
    t.after(() => browser.close());
    await browser.page.evaluate(() => document.querySelector('main').append(new Image()));
    await browser.page.evaluate(axe);
    const { violations } = await browser.page.evaluate(() => window.axe.run());
    assert.ok(violations.some((v) => v.id === 'image-alt' && v.impact === 'critical'));
  });

  test('is reached by the keyboard alone', async (t) => {
    const browser = await browse(running.addresses.busy);
    t.after(() => browser.close());
    const { page } = browser;
    await figures(page);
    const reached = new Set();
    for (let i = 0; i < 60 && reached.size < 8; i++) {
      await page.keyboard.press('Tab');
      const id = await page.evaluate(() => document.activeElement.id || document.activeElement.className || document.activeElement.getAttribute('href'));
      reached.add(id);
      if (id === 'language') await page.keyboard.press('Enter');
    }
    for (const id of ['skip', 'theme', 'language', 'history-pool', 'history-limiter']) assert.ok(reached.has(id), `${id} is not reached by Tab: ${[...reached]}`);
    await page.waitForFunction(() => document.documentElement.lang === 'zh-CN');
    const more = page.locator('#requests .more').first();
    await more.focus();
    await page.keyboard.press('Enter');
    await page.locator('#story[open]').waitFor();
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => !document.querySelector('#story').open);
    assert.deepEqual(browser.faults, []);
  });
});
