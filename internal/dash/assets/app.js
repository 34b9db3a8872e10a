// The live page: listens to /api/v1/events and shows each picture. What a
// section shows is in its own module.

import { setClock } from "./countdown.js";
import { attribute, forget, keyed, make, text } from "./dom.js";
import { blocked, keys, relabel as relabelKeys } from "./keys.js";
import { broken, protection, relabel as relabelProtection } from "./protection.js";
import { quota, relabel as relabelQuota } from "./quota.js";
import { closeStory } from "./story.js";
import { queue, relabel as relabelTables, requests, tiles } from "./tables.js";
import { clock, next, preferred, t, use } from "./words.js";

const THEMES = ["auto", "light", "dark"];
const MEMORY = "weir-theme";
const AGAIN = 2000; // ms until a refused connection is tried again
const ALERTS = 6; // shown at once; the tables show all

let picture = null;
let link = "connecting";

function show() {
  if (picture === null) return;
  setClock(picture.at);
  const failing = broken(picture.protection);
  banner(picture.quota, failing.length > 0);
  alerts([...failing, ...blocked(picture.quota.keys)]);
  tiles(picture);
  quota(picture.quota);
  keys(picture.quota.keys);
  protection(picture.protection);
  queue(picture.queue);
  requests(picture.requests);
  text(document.getElementById("version"), picture.version);
  text(document.getElementById("at"), clock(picture.at));
}

// banner speaks only when the state changes: it is read aloud.
function banner(report, failing) {
  const known = report.buckets.length > 0 || report.keys.some((k) => k.state !== "ok");
  let state = known ? report.state : "unknown";
  if (state === "blocked" && report.keys.some((k) => k.state === "ok")) state = "partly";
  if (failing && state !== "blocked") state = "failing";
  attribute(document.getElementById("banner"), "data-state", state);
  text(document.getElementById("banner-title"), t(`state.${state}.title`));
  text(document.getElementById("banner-text"), t(`state.${state}.text`));
}

// alerts are read aloud when one comes or its sentence changes. A time in one
// changes every second, and is not.
function alerts(list) {
  const items = list.slice(0, ALERTS);
  if (list.length > ALERTS) items.push({ id: "more", said: t("alerts.more", { n: list.length - ALERTS }) });
  keyed(document.getElementById("alerts"), items, (a) => a.id, buildAlert, (node, a) => {
    text(node.firstChild, a.said);
    a.time?.(node.lastChild);
  });
}

function buildAlert(a) {
  const node = make("li", {}, make("span"));
  if (a.scope) node.dataset.scope = a.scope;
  if (a.time) node.append(" ", make("span", { class: "time", role: "timer", "aria-live": "off" }));
  return node;
}

function linked(state) {
  link = state;
  attribute(document.getElementById("link"), "data-link", state);
  text(document.getElementById("link-text"), t(`link.${state}`));
}

function listen() {
  const source = new EventSource("/api/v1/events");
  source.addEventListener("snapshot", (event) => {
    picture = JSON.parse(event.data);
    linked("live");
    show();
  });
  source.addEventListener("error", () => {
    linked("lost");
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, AGAIN);
  });
}

function theme(name) {
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  text(document.getElementById("theme"), t(`theme.${name}`));
}

const keptTheme = () => (THEMES.includes(localStorage.getItem(MEMORY)) ? localStorage.getItem(MEMORY) : "auto");

async function speak(language) {
  await use(language);
  const other = document.getElementById("language");
  text(other, t("other"));
  attribute(other, "aria-label", t("other.label"));
  theme(keptTheme());
  linked(link);
  forget(document.getElementById("alerts"));
  relabelKeys();
  relabelProtection();
  relabelQuota();
  relabelTables();
  closeStory();
  show();
}

document.getElementById("language").addEventListener("click", () => speak(next()));
document.getElementById("theme").addEventListener("click", () => {
  const name = THEMES[(THEMES.indexOf(keptTheme()) + 1) % THEMES.length];
  localStorage.setItem(MEMORY, name);
  theme(name);
});

document.getElementById("story-close").addEventListener("click", closeStory);

await speak(preferred());
listen();
