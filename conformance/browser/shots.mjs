// Takes the pictures of docs/images: every page in both languages, one in the
// dark, one on a phone. Run it by scripts/shots.sh.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { browse, stage } from './harness.mjs';

const folder = process.argv[2];
const wide = { width: 1280, height: 900 };
const PAST = 120_000; // ms of history that a picture shows
const TALLEST = 3400;
const phone = { width: 390, height: 844 };

await mkdir(folder, { recursive: true });
const { addresses, close } = await stage();

/** Opens a page in a browser of its own, brings it into its state and takes its picture. */
async function shoot(name, address, { viewport = wide, locale = 'en', colorScheme = 'light', tall }, arrange) {
  const browser = await browse(address, { viewport, locale, colorScheme });
  try {
    await arrange(browser.page);
    if (tall) await browser.page.setViewportSize({ ...viewport, height: Math.min(TALLEST, await browser.page.evaluate(() => document.documentElement.scrollHeight)) });
    await browser.page.waitForTimeout(1500);
    await browser.page.screenshot({ path: join(folder, `${name}.png`) });
    if (browser.faults.length > 0) throw new Error(`${name}: ${browser.faults}`);
  } finally {
    await browser.close();
  }
}

const live = (page) => page.locator('.gauge').first().waitFor();

async function chat(page) {
  await page.locator('#model').fill('claude-sonnet-5');
  for (const words of ['What is a weir?', 'And what does it do in a queue']) {
    await page.locator('#prompt').fill(words);
    await page.locator('#send').click();
    if (words.endsWith('queue')) break;
    await page.locator('.bill span').nth(1).waitFor();
  }
  await page.locator('#wait-text:not(:empty)').waitFor();
}

for (const locale of ['en', 'zh']) {
  await shoot(`playground-${locale}`, `${addresses.busy}/playground`, { locale }, chat);
  await shoot(`login-${locale}`, `${addresses.login}/login`, { locale, viewport: { width: 900, height: 520 } }, (page) => page.locator('#token').waitFor());
}
await shoot('outage-dark', addresses.outage, { colorScheme: 'dark' }, live);
await shoot('blocked-phone', addresses.blocked, { viewport: phone }, live);
await sleep(Math.max(0, PAST - performance.now()));
for (const locale of ['en', 'zh']) await shoot(`dashboard-${locale}`, addresses.busy, { locale, tall: true }, live);
await close();
