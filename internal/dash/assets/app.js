// The live page: listens to /api/v1/events and shows each picture. What a
// section shows is in its own module.

import { attribute, keyed, make, text } from "./dom.js";
import { quota, relabel as relabelQuota } from "./quota.js";
import { closeStory } from "./story.js";
import { queue, relabel as relabelTables, requests, tiles } from "./tables.js";
import { clock, next, preferred, t, use } from "./words.js";

const THEMES = ["auto", "light", "dark"];
const MEMORY = "weir-theme";
const AGAIN = 2000; // ms until a refused connection is tried again

let picture = null;
let link = "connecting";

function show() {
  if (picture === null) return;
  banner(picture.quota);
  alerts(picture.quota.keys);
  tiles(picture);
  quota(picture.quota);
  queue(picture.queue);
  requests(picture.requests);
  text(document.getElementById("version"), picture.version);
  text(document.getElementById("at"), clock(picture.at));
}

// banner speaks only when the state changes: it is read aloud.
function banner(report) {
  const known = report.buckets.length > 0 || report.keys.some((k) => k.state !== "ok");
  const state = known ? report.state : "unknown";
  attribute(document.getElementById("banner"), "data-state", state);
  text(document.getElementById("banner-title"), t(`state.${state}.title`));
  text(document.getElementById("banner-text"), t(`state.${state}.text`));
}

function alerts(keys) {
  const blocked = keys.filter((k) => k.state !== "ok");
  keyed(document.getElementById("alerts"), blocked, (k) => k.name, () => make("li"), (node, k) => {
    const said = t("key.blocked", { name: k.name, message: k.message || k.reason || k.state });
    text(node, k.until ? `${said} (${t("key.until", { time: clock(k.until) })})` : said);
  });
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
