// The page with 201 buckets and 10,000 waiting calls whose figures all move:
// how soon it shows a change, and what it costs the reader's machine.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { browse, stage } from './harness.mjs';

const WATCH = Number(process.env.WEIR_CROWD_SECONDS ?? 30);
const LATEST = 1000; // ms from a change of the figures to the page
const SHARE = 0.1; // of one processor

/** How long this process itself had to wait for a processor at most, in ms: nobody
    else on a machine that is that busy can be any faster. */
function lag() {
  let worst = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    worst = Math.max(worst, now - last - 20);
    last = now;
  }, 20);
  return () => {
    clearInterval(timer);
    return Math.round(worst);
  };
}

/** CPU seconds that the renderers of the browser with this profile have taken. */
async function rendererTime(profile) {
  const processes = new Map();
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    try {
      const [stat, command] = await Promise.all([readFile(`/proc/${pid}/stat`, 'utf8'), readFile(`/proc/${pid}/cmdline`, 'utf8')]);
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      processes.set(pid, { parent: fields[1], ticks: Number(fields[11]) + Number(fields[12]), command });
    } catch {
      // it has ended meanwhile
    }
  }
  const mine = (pid) => {
    const p = processes.get(pid);
    return Boolean(p) && ((p.command.includes(profile) && !p.command.includes('--type=')) || mine(p.parent));
  };
  let ticks = 0;
  for (const [pid, p] of processes) if (p.command.includes('--type=renderer') && mine(pid)) ticks += p.ticks;
  assert.ok(ticks > 0, 'the renderer was not found');
  return ticks / 100;
}

describe('the page with 201 buckets and 10,000 waiting', () => {
  let running, browser, page, devtools;

  before(async () => {
    running = await stage();
    browser = await browse(running.addresses.crowd, { viewport: { width: 1280, height: 800 } });
    page = browser.page;
    devtools = await browser.context.newCDPSession(page);
    // Processor time, not time of day: others may be using this machine.
    await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
    await page.locator('.gauge').nth(200).waitFor({ state: 'attached' });
  });

  after(async () => {
    await browser?.close();
    await running?.close();
  });

  test('shows every bucket and the whole queue', async () => {
    const { buckets } = await (await fetch(`${running.addresses.crowd}/api/v1/quota`)).json();
    assert.equal(buckets.length, 201);
    assert.equal(await page.locator('.gauge').count(), 201);
    assert.equal(await page.locator('[data-tile="waiting"] dd').textContent(), '10,000');
  });

  test(`shows each change within a second, for less than a tenth of a processor, over ${WATCH} s`, async (t) => {
    await sleep(3000); // the start is not what is measured
    await page.evaluate(() => {
      const clock = document.querySelector('.gauge[data-group="clock"][data-limiter="requests"]');
      window.delays = [];
      window.frames = 0;
      let last = clock.dataset.remaining;
      new MutationObserver(() => {
        window.frames++;
        if (clock.dataset.remaining === last) return;
        last = clock.dataset.remaining;
        window.delays.push((Date.now() % 1e11) - Number(last));
      }).observe(document.getElementById('quota'), { subtree: true, attributes: true, attributeFilter: ['data-remaining'] });
    });
    const task = async () => {
      const { metrics } = await devtools.send('Performance.getMetrics');
      return metrics.find((m) => m.name === 'TaskDuration').value;
    };
    const began = { at: performance.now(), task: await task(), renderer: await rendererTime(browser.profile) };
    const starved = lag();
    await sleep(WATCH * 1000);
    const late = starved();
    const wall = (performance.now() - began.at) / 1000;
    const main = (await task() - began.task) / wall;
    const renderer = (await rendererTime(browser.profile) - began.renderer) / wall;
    const { delays, frames } = await page.evaluate(() => ({ delays: window.delays, frames: window.frames }));
    delays.sort((a, b) => a - b);
    const at = (q) => delays[Math.min(delays.length - 1, Math.floor(q * delays.length))];
    const percent = (x) => `${(100 * x).toFixed(1)} %`;
    t.diagnostic(`${delays.length} changes in ${wall.toFixed(1)} s: delay p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, max ${delays.at(-1)} ms (the test itself waited up to ${late} ms for a processor); ${frames} updates; main thread ${percent(main)}, renderer process ${percent(renderer)} of one processor`);
    assert.ok(delays.length > WATCH / 1.13 - 3, `only ${delays.length} changes were seen`);
    assert.ok(delays[0] >= 0, `a change was seen ${delays[0]} ms after it was made`);
    assert.ok(at(0.95) <= LATEST && delays.at(-1) <= LATEST + late, `a change took ${delays.at(-1)} ms`);
    assert.ok(main < SHARE, `the main thread was busy for ${percent(main)}`);
    assert.ok(renderer < SHARE, `the renderer took ${percent(renderer)} of a processor`);
    assert.deepEqual(browser.faults, []);
  });
});
