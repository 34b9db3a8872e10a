// Opens the page of a running demo in Chromium: the figures on it must be those
// of /api/v1/quota, and they must move. WEIR_BIN is the binary.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Starts the demo and resolves to its admin address. */
function startDemo() {
  const demo = spawn(process.env.WEIR_BIN, ['demo', '--no-browser', '--for', '120s'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const address = new Promise((resolve, reject) => {
    const listen = (chunk) => {
      said += chunk;
      const line = said.match(/^.*(?:admin|dashboard).*?(http:\/\/127\.0\.0\.1:\d+)/im);
      if (line) resolve(line[1]);
    };
    demo.stdout.setEncoding('utf8').on('data', listen);
    demo.stderr.setEncoding('utf8').on('data', listen);
    demo.on('error', reject);
    demo.on('exit', (code) => reject(new Error(`the demo ended with ${code} before it named its page:\n${said}`)));
  });
  return { demo, address };
}

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
  let demo, address, profile, context, page;
  const faults = [];

  before(async () => {
    const started = startDemo();
    demo = started.demo;
    address = await started.address;
    profile = await mkdtemp(join(tmpdir(), 'weir-browser-'));
    context = await chromium.launchPersistentContext(profile, {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      headless: true,
      args: flags,
    });
    page = await context.newPage();
    page.on('pageerror', (error) => faults.push(String(error)));
    page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
    page.on('request', (request) => {
      if (new URL(request.url()).origin !== address) faults.push(`asks another host: ${request.url()}`);
    });
    await page.goto(address);
    await page.locator('.gauge[data-limiter="input_tokens"]').first().waitFor();
  });

  after(async () => {
    await context?.close();
    if (profile) await rm(profile, { recursive: true, force: true });
    if (demo?.exitCode === null) {
      const ended = new Promise((resolve) => demo.once('exit', resolve));
      demo.kill('SIGINT');
      await ended;
    }
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
    assert.deepEqual(faults, []);
  });
});
