// Opens the page in Chromium. That of a running demo: the figures on it must be
// those of /api/v1/quota, and they must move. That of a gateway whose upstream
// fails: it says so, until when, and when it is over.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { browse, start, stop } from './harness.mjs';

const key = (b) => [b.organization, b.workspace, b.group, b.limiter].join(' ');

async function api(address) {
  const response = await fetch(`${address}/api/v1/quota`);
  assert.equal(response.status, 200);
  const { buckets } = await response.json();
  return new Map(buckets.map((b) => [key(b), b]));
}

/** What the page shows now, by bucket. */
async function shown(page) {
  const gauges = await page.locator('.gauge').evaluateAll((nodes) =>
    nodes.map((n) => ({
      organization: n.dataset.organization,
      workspace: n.dataset.workspace,
      group: n.dataset.group,
      limiter: n.dataset.limiter,
      limit: Number(n.dataset.limit),
      remaining: Number(n.dataset.remaining),
      words: n.querySelector('b').textContent,
    })),
  );
  return new Map(gauges.map((g) => [key(g), g]));
}

/** The number that a short figure such as 1.2k or 3M stands for, and half its last digit. */
function spoken(words) {
  const [, sign, whole, fraction = '', unit] = words.trim().match(/^([-−]?)([\d,]+)(?:\.(\d+))?\s*([kKMB]?)$/);
  const scale = { '': 1, k: 1e3, K: 1e3, M: 1e6, B: 1e9 }[unit];
  const value = Number(`${whole.replaceAll(',', '')}.${fraction || 0}`) * scale * (sign ? -1 : 1);
  return { value, half: (scale * 10 ** -fraction.length) / 2 };
}

describe('the page of the demo', () => {
  let demo, address, browser, page;

  before(async () => {
    const started = start(['demo', '--no-browser', '--for', '120s'], [/^.*(?:admin|dashboard).*?(http:\/\/127\.0\.0\.1:\d+)/im]);
    demo = started.program;
    [address] = await started.addresses;
    browser = await browse(address);
    page = browser.page;
    await page.locator('.gauge[data-limiter="input_tokens"]').first().waitFor();
  });

  after(async () => {
    await browser?.close();
    await stop(demo);
  });

  test('shows the figures of /api/v1/quota', async () => {
    // The levels move all the time and the page is up to half a second behind,
    // so what it shows must lie among what the API said in the second before.
    const samples = [];
    for (let i = 0; i < 30; i++) {
      samples.push(await api(address));
      await sleep(50);
    }
    const gauges = await shown(page);
    samples.push(await api(address));
    const buckets = samples.at(-1);
    assert.ok(buckets.size >= 3, 'the API reports all limiters');
    assert.deepEqual([...gauges.keys()].sort(), [...buckets.keys()].sort());
    for (const [name, gauge] of gauges) {
      const said = samples.map((s) => s.get(name)).filter(Boolean);
      assert.ok(said.some((b) => b.limit === gauge.limit), `${name}: limit ${gauge.limit}`);
      const slack = gauge.limit / 100;
      const levels = said.map((b) => b.remaining);
      assert.ok(
        gauge.remaining >= Math.min(...levels) - slack && gauge.remaining <= Math.max(...levels) + slack,
        `${name}: the page says ${gauge.remaining}, the API said ${Math.min(...levels)} to ${Math.max(...levels)}`,
      );
      const { value, half } = spoken(gauge.words);
      assert.ok(Math.abs(value - gauge.remaining) <= half, `${name}: "${gauge.words}" for ${gauge.remaining}`);
    }
  });

  test('moves', async () => {
    const gauge = page.locator('.gauge[data-limiter="input_tokens"]').first();
    const seen = new Set();
    for (let i = 0; i < 100 && seen.size < 4; i++) {
      seen.add(await gauge.getAttribute('data-remaining'));
      await sleep(100);
    }
    assert.ok(seen.size >= 4, `in 10 s the level was only ${[...seen]}`);
  });

  test('tells why a request waited', async () => {
    await page.locator('#requests .more').first().click();
    const story = page.locator('#story');
    await story.locator('.chapters li').first().waitFor();
    const id = await story.locator('[data-fact="id"]').textContent();
    const response = await fetch(`${address}/api/v1/requests/${id}`);
    assert.equal(response.status, 200);
    const said = await response.json();
    assert.equal(await story.locator('.chapters li').count(), said.story.length);
    assert.match(await story.locator('.chapters').textContent(), /Waited .*with key demo/);
    await page.locator('#story-close').click();
    assert.equal(await story.evaluate((node) => node.open), false);
    const unknown = await fetch(`${address}/api/v1/requests/weir_unknown`);
    assert.equal(unknown.status, 404);
    assert.match((await unknown.json()).error.message, /weir_unknown/);
  });

  test('speaks Chinese at a press', async () => {
    const title = page.locator('#h-quota');
    const english = await title.textContent();
    await page.locator('#language').click();
    await page.waitForFunction((old) => document.querySelector('#h-quota').textContent !== old, english);
    assert.match(await title.textContent(), /\p{Script=Han}/u);
  });

  test('is clean: no errors, nothing from another host', () => {
    assert.deepEqual(browser.faults, []);
  });
});

const model = 'claude-sonnet-5';
const outage = `description: ${model} is down.
faults:
  - {kind: "503", model: ${model}}
`;

describe('the page while the upstream fails', () => {
  let folder, upstream, api, gateway, data, admin, browser, page, scope;

  const simulate = async (args) => {
    const started = start(['sim', ...args], [/at (http:\/\/127\.0\.0\.1:\d+)/]);
    upstream = started.program;
    [api] = await started.addresses;
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weir-outage-'));
    await writeFile(join(folder, 'outage.yaml'), outage);
    await simulate(['--listen', '127.0.0.1:0', '--scenario', join(folder, 'outage.yaml')]);
    scope = `${new URL(api).host}/${model}`;
    const started = start(
      ['serve', '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--upstream', api],
      [/data plane (http:\S+)/, /admin plane (http:\S+)/],
      { ANTHROPIC_API_KEY: 'sk-ant-any' },
    );
    gateway = started.program;
    [data, admin] = await started.addresses;
    browser = await browse(admin);
    page = browser.page;
    await page.locator('#link[data-link="live"]').waitFor();
  });

  after(async () => {
    await browser?.close();
    await stop(gateway);
    await stop(upstream);
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  const send = async (wait) => {
    const response = await fetch(`${data}/v1/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01', 'weir-max-wait': wait },
      body: JSON.stringify({ model, max_tokens: 8, messages: [{ role: 'user', content: 'Is it up?' }] }),
    });
    await response.text();
    return response.status;
  };
  const breaker = async () => {
    const response = await fetch(`${admin}/api/v1/protection`);
    assert.equal(response.status, 200);
    const { breakers, rules } = await response.json();
    assert.deepEqual(rules, []);
    return breakers.find((b) => b.scope === scope);
  };
  const row = () => page.locator(`#breakers tr[data-scope="${scope}"]`);
  const alert = () => page.locator(`#alerts li[data-scope="${scope}"]`);

  /** Lets the breaker open anew, so that there is time to look. */
  const reopen = async () => {
    for (let i = 0; i < 40; i++) {
      const b = await breaker();
      if (b?.state === 'open' && Date.parse(b.retry_at) - Date.now() > 3500) return b;
      await send('500ms');
      await sleep(200);
    }
    return assert.fail('the breaker does not open anew');
  };

  test('says nothing of breakers before', async () => {
    assert.equal(await breaker(), undefined);
    assert.equal(await page.locator('#protection').isVisible(), false);
    assert.equal(await page.locator('#alerts li').count(), 0);
  });

  test('shows the breaker as /api/v1/protection does', async () => {
    await Promise.all(Array.from({ length: 20 }, () => send('3s')));
    const b = await reopen();
    await page.locator(`#breakers tr[data-scope="${scope}"][data-opened="${b.opened}"][data-state="open"]`).waitFor();
    const cells = await row().locator('td').allTextContents();
    assert.match(cells[0], new RegExp(`^${model}.*${new URL(api).host}$`));
    assert.match(cells[1], /open: calls are refused/);
    assert.equal(cells[2], String(b.opened));
    assert.ok(cells[3].includes(b.rule) && cells[3].includes('kept failing'), cells[3]);
    assert.equal(b.cause, 'failing');
    assert.equal(cells[4], await page.evaluate((at) => new Date(at).toLocaleString('en', { timeStyle: 'medium' }), b.since));
    const { keys } = await (await fetch(`${admin}/api/v1/quota`)).json();
    assert.deepEqual(await page.locator('#keys tr[data-key] td:first-child').allTextContents(), keys.map((k) => k.name));
  });

  test('counts down to the probe, and is not read aloud every second', async () => {
    const b = await reopen();
    await page.locator(`#breakers tr[data-scope="${scope}"][data-opened="${b.opened}"]`).waitFor();
    await page.evaluate((sentence) => {
      window.spoken = 0;
      new MutationObserver((changes) => (window.spoken += changes.length)).observe(sentence, { subtree: true, childList: true, characterData: true });
    }, await alert().locator('span').first().elementHandle());
    const timer = alert().locator('[role="timer"][aria-live="off"]');
    const seen = [];
    for (let i = 0; i < 20; i++) {
      const left = (Date.parse(b.retry_at) - Date.now()) / 1000;
      const said = (await timer.textContent()).match(/^Until .*, for (\d+) s more\.$/);
      if (left < 0.8) break;
      assert.ok(said && Math.abs(Number(said[1]) - left) < 1.7, `${said}, but ${left} s are left`);
      seen.push(Number(said[1]));
      await sleep(150);
    }
    assert.ok(new Set(seen).size >= 3, `the countdown was only ${seen}`);
    assert.deepEqual(seen, seen.toSorted((x, y) => y - x));
    assert.equal(await page.evaluate(() => window.spoken), 0, 'a live region changed with the countdown');
    assert.equal(await page.locator('#alerts').getAttribute('aria-live'), 'polite');
  });

  test('says who is refused and why, in both languages and on a phone', async () => {
    const said = async () => (await alert().locator('span').first().textContent()).trim();
    assert.match(await said(), new RegExp(`^Calls of ${model} to ${new URL(api).host} are refused at once, because .*rule \\w+`));
    assert.equal(await page.locator('#banner').getAttribute('data-state'), 'failing');
    await page.locator('#language').click();
    await page.waitForFunction(() => document.documentElement.lang === 'zh-CN' && /\p{Script=Han}/u.test(document.querySelector('#alerts li')?.textContent));
    assert.match(await said(), new RegExp(`^发往 ${new URL(api).host} 的 ${model} 请求会被立即拒绝，因为`));
    for (const selector of ['#h-protection', '#banner-title', '#breakers td:nth-child(2)', '#keys td:nth-child(3)']) {
      assert.match(await page.locator(selector).first().textContent(), /\p{Script=Han}/u, selector);
    }
    await page.setViewportSize({ width: 390, height: 844 });
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 390, 'the page is wider than a phone');
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.locator('#language').click();
    await page.waitForFunction(() => document.documentElement.lang === 'en');
  });

  test('is silent again when the upstream serves', async () => {
    const { port } = new URL(api);
    await stop(upstream);
    await simulate(['--listen', `127.0.0.1:${port}`]);
    let status;
    for (let i = 0; i < 60 && status !== 200; i++) {
      status = await send('2s');
      if (status !== 200) await sleep(250);
    }
    assert.equal(status, 200);
    await page.locator(`#breakers tr[data-scope="${scope}"][data-state="closed"]`).waitFor();
    assert.equal((await breaker()).state, 'closed');
    assert.equal(await alert().count(), 0);
    assert.notEqual(await page.locator('#banner').getAttribute('data-state'), 'failing');
    assert.deepEqual(browser.faults, []);
  });
});
