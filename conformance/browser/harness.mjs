// What the tests of the page share: programs that are started and stopped, and
// a browser that tells of every fault. WEIR_BIN is the binary.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

/** Starts weir and resolves when it has said all patterns: to the first group of each. */
export function start(args, patterns, env = {}) {
  const program = spawn(process.env.WEIR_BIN, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let said = '';
  const addresses = new Promise((resolve, reject) => {
    const listen = (chunk) => {
      said += chunk;
      const found = patterns.map((p) => said.match(p)?.[1]);
      if (found.every(Boolean)) resolve(found);
    };
    program.stdout.setEncoding('utf8').on('data', listen);
    program.stderr.setEncoding('utf8').on('data', listen);
    program.on('error', reject);
    program.on('exit', (code) => reject(new Error(`weir ${args[0]} ended with ${code} before it named its addresses:\n${said}`)));
  });
  return { program, addresses };
}

/** Stops a program that start has started, and waits for its end. */
export async function stop(program) {
  if (!program || program.exitCode !== null || program.signalCode !== null) return;
  const ended = new Promise((resolve) => program.once('exit', resolve));
  program.kill('SIGINT');
  await ended;
}

/** Starts the stage and resolves to the address of each state, and how to stop it. */
export async function stage() {
  const program = spawn(process.env.STAGE_BIN, { stdio: ['pipe', 'pipe', 'inherit'] });
  const addresses = {};
  await new Promise((resolve, reject) => {
    let said = '';
    program.on('error', reject);
    program.on('exit', (code) => reject(new Error(`the stage ended with ${code}`)));
    program.stdout.setEncoding('utf8').on('data', (chunk) => {
      said += chunk;
      for (const [, name, address] of said.matchAll(/^stage: (\S+) (\S+)\n/gm)) addresses[name] = address;
      if (STATES.every((name) => addresses[name])) resolve();
    });
  });
  const close = () => new Promise((resolve) => {
    program.once('exit', resolve);
    program.stdin.end();
  });
  return { addresses, close };
}

const STATES = ['empty', 'busy', 'outage', 'blocked', 'crowd', 'keyed', 'login'];

/** Opens address in a browser with a profile of its own, whose options may be given. */
export async function browse(address, options = {}) {
  const faults = [];
  const profile = await mkdtemp(join(tmpdir(), 'weir-browser-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: flags,
    locale: 'en',
    ...options,
  });
  const page = await context.newPage();
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  page.on('request', (request) => {
    if (address !== 'about:blank' && new URL(request.url()).origin !== new URL(address).origin) faults.push(`asks another host: ${request.url()}`);
  });
  await page.goto(address);
  const close = async () => {
    await context.close();
    await rm(profile, { recursive: true, force: true });
  };
  return { page, context, profile, faults, close };
}
