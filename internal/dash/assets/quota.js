// The gauges: one card for each organization, workspace and model group, one
// gauge in it for each limiter.

import { countdown, still } from "./countdown.js";
import { attribute, forget, keyed, make, text } from "./dom.js";
import { short, t, wait, whole } from "./words.js";

const POINTS = 120; // of the trace in a gauge, one a second
const MANY = 24; // gauges from which on nothing glides
const FOURTH = 4;
const traces = new Map();
let pictures = 0;

const poolKey = (b) => [b.organization, b.workspace, b.group].join("\u0000");
const bucketKey = (b) => `${poolKey(b)}\u0000${b.limiter}`;

// Cards out of view show each new level, but the rest of them is brought up to
// date with every fourth picture alone, and no trace is drawn.
const inView = new WeakSet();
const watcher = new IntersectionObserver((entries) => {
  for (const e of entries) e.isIntersecting ? inView.add(e.target) : inView.delete(e.target);
}, { rootMargin: "200px" });

/** quota shows the buckets of one picture. */
export function quota(report) {
  const pools = new Map();
  for (const b of report.buckets) {
    const k = poolKey(b);
    if (!pools.has(k)) pools.set(k, []);
    pools.get(k).push(b);
  }
  const at = Date.parse(report.at);
  for (const b of report.buckets) remember(b, at);
  document.getElementById("quota-none").hidden = pools.size > 0;
  const parent = document.getElementById("quota");
  attribute(parent, "data-many", report.buckets.length > MANY);
  const all = pictures++ % FOURTH === 0;
  keyed(parent, [...pools.values()], (p) => poolKey(p[0]), buildPool, (card, p) => {
    const seen = inView.has(card);
    keyed(card.gauges, p, (b) => b.limiter, buildGauge, (g, b) => updateGauge(g, b, { at, seen, all }));
  });
}

/** relabel makes the next picture build everything anew. */
export function relabel() {
  forget(document.getElementById("quota"));
}

function buildPool(buckets) {
  const b = buckets[0];
  const owner = [b.organization || t("pool.any"), b.workspace].filter(Boolean).join(" · ");
  const gauges = make("div", { class: "gauges" });
  const card = make("article", { class: "pool" }, make("h3", {}, b.group), make("p", { class: "owner" }, owner), gauges);
  card.gauges = gauges;
  watcher.observe(card);
  return card;
}

function buildGauge(b) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${POINTS} 100`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.append(path);
  const name = t(`limiter.${b.limiter}`);
  const parts = {
    path,
    level: make("b"), of: make("span", { class: "of dim" }),
    sure: make("div", { class: "sure" }), maybe: make("div", { class: "maybe" }),
    when: make("span", { class: "when" }), reserved: make("span", { class: "reserved" }), source: make("span", { class: "source" }),
  };
  parts.meter = make("div", { class: "track", role: "meter", "aria-label": `${b.group}: ${name}`, "aria-valuemin": 0 }, svg, parts.sure, parts.maybe);
  const node = make("div", {
    class: "gauge",
    "data-organization": b.organization,
    "data-workspace": b.workspace,
    "data-group": b.group,
    "data-limiter": b.limiter,
  },
  make("div", { class: "gauge-head" }, make("span", {}, name), make("span", {}, parts.level, " ", parts.of)),
  parts.meter,
  make("div", { class: "gauge-foot" }, parts.when, parts.reserved, parts.source));
  node.parts = parts;
  return node;
}

function updateGauge(node, b, { at, seen, all }) {
  const { parts } = node;
  attribute(node, "data-remaining", b.remaining);
  attribute(node, "data-limit", b.limit);
  text(parts.level, short(b.remaining));
  if (!seen && !all && parts.when.hasChildNodes()) return;
  const share = b.limit > 0 ? b.remaining / b.limit : 0;
  const level = b.limit <= 0 ? "unknown" : share <= 0 ? "out" : share < 0.1 ? "low" : "good";
  attribute(node, "data-level", level);
  text(parts.of, b.limit > 0 ? t("gauge.of", { limit: short(b.limit) }) : t("gauge.unknown"));
  forecast(parts.when, b, at);
  text(parts.reserved, b.reserved > 0 ? t("gauge.reserved", { n: short(b.reserved) }) : "");
  text(parts.source, b.source ? t(`source.${b.source}`) : "");

  attribute(parts.meter, "aria-valuemax", Math.max(b.limit, 0));
  attribute(parts.meter, "aria-valuenow", clamp(b.remaining, 0, Math.max(b.limit, 0)));
  attribute(parts.meter, "aria-valuetext", t("gauge.value", {
    remaining: whole(b.remaining), limit: whole(b.limit), low: whole(b.low), high: whole(b.high),
  }));
  band(parts, b);
  if (seen) attribute(parts.path, "d", outline(traces.get(bucketKey(b)).points));
}

// band draws the belief: certainly left up to low, perhaps up to high. Both are
// scaled, not resized, which costs no layout.
function band({ sure, maybe }, b) {
  const low = fraction(b.low, b.limit);
  scale(sure, `scaleX(${low})`);
  scale(maybe, `translateX(${(100 * low).toFixed(2)}%) scaleX(${Math.max(fraction(b.high, b.limit) - low, 0).toFixed(4)})`);
}

function scale(node, transform) {
  if (node.scaled !== transform) node.style.transform = node.scaled = transform;
}

// forecast says where the level is going, in the reader's time.
function forecast(node, b, at) {
  if (b.limit <= 0) still(node, "");
  else if (b.remaining <= 0) still(node, t("gauge.isempty"));
  else if (b.empty_in_s !== null && b.empty_in_s !== undefined) {
    countdown(node, at + 1000 * b.empty_in_s, (left) => t("gauge.empty", { time: wait(left) }));
  } else if (b.remaining >= b.limit) still(node, t("gauge.isfull"));
  else if (Date.parse(b.full_at) > at) countdown(node, b.full_at, (left) => t("gauge.full", { time: wait(left) }));
  else still(node, "");
}

// remember keeps one point a second of each bucket.
function remember(b, at) {
  const k = bucketKey(b);
  const trace = traces.get(k) ?? { last: 0, points: [] };
  traces.set(k, trace);
  if (at - trace.last < 900 && trace.points.length > 0) return;
  trace.last = at;
  trace.points.push(fraction(b.remaining, b.limit));
  if (trace.points.length > POINTS) trace.points.shift();
}

function outline(points) {
  const start = POINTS - points.length;
  const line = points.map((p, i) => `L${start + i} ${(100 - 96 * p).toFixed(1)}`).join("");
  return `M${start} 102${line}L${POINTS} ${(100 - 96 * points.at(-1)).toFixed(1)}V102Z`;
}

const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
const fraction = (n, limit) => (limit > 0 ? clamp(n / limit, 0, 1) : 0);
