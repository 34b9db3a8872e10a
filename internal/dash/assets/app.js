// The live page: listens to /api/v1/events and shows each picture. What a
// section shows is in its own module.

import { alerts, relabel as relabelAlerts } from "./alerts.js";
import { chart, relabel as relabelChart, reseed } from "./chart.js";
import { setClock } from "./countdown.js";
import { attribute, text } from "./dom.js";
import { frame, toLogin, wayOut } from "./frame.js";
import { keys, relabel as relabelKeys } from "./keys.js";
import { ladder, relabel as relabelLadder } from "./ladder.js";
import { cache, money, relabel as relabelMoney } from "./money.js";
import { notify, relabel as relabelNotify } from "./notify.js";
import { protection, relabel as relabelProtection } from "./protection.js";
import { queue, relabel as relabelQueue } from "./queue.js";
import { quota, relabel as relabelQuota } from "./quota.js";
import { closeStory } from "./story.js";
import { relabel as relabelTables, requests, tiles } from "./tables.js";
import { clock, t } from "./words.js";

const AGAIN = 2000; // ms until a refused connection is tried again

const FOURTH = 4;

let picture = null;
let shown = 0;
let asked = false; // a frame is under way
let link = "connecting";

// What is below the window is brought up to date with every fourth picture, and
// at once when it comes into view.
const parts = [
  ["keys-part", () => keys(picture.quota.keys)],
  ["protection", () => protection(picture.protection)],
  ["queue-section", () => queue(picture.queue)],
  ["degraded-part", () => ladder(picture)],
  ["cache-part", () => cache(picture)],
  ["money-part", () => money(picture.money)],
  ["requests-section", () => requests(picture.requests)],
];
const inView = new WeakSet();
const watcher = new IntersectionObserver((entries) => {
  for (const e of entries) e.isIntersecting ? inView.add(e.target) : inView.delete(e.target);
  later();
}, { rootMargin: "200px" });

// later shows the latest picture with the next frame: of pictures that come
// faster than the reader's machine can show them, or to a page that nobody sees,
// only the last one costs anything.
function later() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    show();
  });
}

function show() {
  if (picture === null) return;
  setClock(picture.at);
  alerts(picture);
  tiles(picture);
  quota(picture.quota);
  chart(picture);
  const all = shown++ % FOURTH === 0;
  for (const [id, tell] of parts) {
    const section = document.getElementById(id);
    if (all || section.hidden || inView.has(section)) tell();
  }
  text(document.getElementById("version"), picture.version);
  text(document.getElementById("at"), clock(picture.at));
}

function linked(state) {
  link = state;
  attribute(document.getElementById("link"), "data-link", state);
  text(document.getElementById("link-text"), t(`link.${state}`));
}

function listen() {
  const source = new EventSource("/api/v1/events");
  source.addEventListener("open", reseed);
  source.addEventListener("snapshot", (event) => {
    picture = JSON.parse(event.data);
    linked("live");
    notify(picture);
    later();
  });
  source.addEventListener("error", async () => {
    linked("lost");
    if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
    const session = await fetch("/api/v1/session").catch(() => null);
    if (session?.status === 401) toLogin();
    else setTimeout(listen, AGAIN);
  });
}

function retold() {
  linked(link);
  for (const relabel of [
    relabelAlerts, relabelChart, relabelKeys, relabelLadder, relabelMoney, relabelNotify, relabelProtection, relabelQueue, relabelQuota, relabelTables,
  ]) relabel();
  closeStory();
  shown = 0;
  show();
}

document.getElementById("story-close").addEventListener("click", closeStory);

for (const [id] of parts) watcher.observe(document.getElementById(id));
await frame({ retold, repaint: relabelChart });
await wayOut();
listen();
