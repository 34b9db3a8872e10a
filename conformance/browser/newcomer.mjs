// Runs the command of its argument in this folder, waits for the address of a
// page, opens it in Chromium and sees the quota move. See scripts/newcomer.sh.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { browse } from './harness.mjs';

const BUILDING = 300_000; // ms until an address must be printed
const MOVING = 10_000; // ms from then on until the quota has moved

const [command] = process.argv.slice(2);
const browser = await browse('about:blank'); // a newcomer has one open
const program = spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
const ended = new Promise((resolve) => program.once('exit', resolve));
try {
  const address = await new Promise((resolve, reject) => {
    let said = '';
    const listen = (chunk) => {
      said += chunk;
      const found = said.match(/dashboard.*?(http:\/\/127\.0\.0\.1:\d+)/i);
      if (found) resolve(found[1]);
    };
    program.stdout.setEncoding('utf8').on('data', listen);
    program.stderr.setEncoding('utf8').on('data', listen);
    program.on('error', reject);
    ended.then((code) => reject(new Error(`it ended with ${code}:\n${said}`)));
    sleep(BUILDING).then(() => reject(new Error(`no address after ${BUILDING / 1000} s:\n${said}`)));
  });
  const began = performance.now();
  await browser.page.goto(address);
  const gauge = browser.page.locator('.gauge[data-limiter="input_tokens"]').first();
  await gauge.waitFor({ timeout: MOVING });
  const seen = new Set();
  while (seen.size < 3 && performance.now() - began < MOVING) {
    seen.add(await gauge.locator('b').textContent());
    await sleep(50);
  }
  const took = ((performance.now() - began) / 1000).toFixed(1);
  assert.ok(seen.size >= 3, `after ${took} s the page had shown only ${[...seen]}`);
  assert.deepEqual(browser.faults, []);
  console.log(`newcomer: ${command}: the quota moved on the page ${took} s after its address was printed`);
} finally {
  process.kill(-program.pid, 'SIGINT'); // go run passes it on to what it has built
  await Promise.race([ended, sleep(10_000).then(() => process.kill(-program.pid, 'SIGKILL'))]);
  await browser.close();
}
process.exit(); // the time limits above may still run
