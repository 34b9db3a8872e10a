// The gauges: one card for each organization, workspace and model group, one
// gauge in it for each limiter.

import { attribute, forget, keyed, make, text } from "./dom.js";
import { seconds, short, t, whole } from "./words.js";

const POINTS = 120; // of history in a gauge, one a second
const history = new Map();

const poolKey = (b) => [b.organization, b.workspace, b.group].join("\u0000");

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
  keyed(parent, [...pools.values()], (p) => poolKey(p[0]), buildPool, (node, p) => {
    keyed(node.querySelector(".gauges"), p, (b) => b.limiter, buildGauge, (g, b) => updateGauge(g, b, at));
  });
}

/** relabel makes the next picture build everything anew. */
export function relabel() {
  forget(document.getElementById("quota"));
}

function buildPool(buckets) {
  const b = buckets[0];
  const owner = [b.organization || t("pool.any"), b.workspace].filter(Boolean).join(" · ");
  return make("article", { class: "pool" },
    make("h3", {}, b.group),
    make("p", { class: "owner" }, owner),
    make("div", { class: "gauges" }));
}

function buildGauge(b) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${POINTS} 100`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS("http://www.w3.org/2000/svg", "path"));
  const name = t(`limiter.${b.limiter}`);
  return make("div", {
    class: "gauge",
    "data-organization": b.organization,
    "data-workspace": b.workspace,
    "data-group": b.group,
    "data-limiter": b.limiter,
  },
  make("div", { class: "gauge-head" }, make("span", {}, name), make("span", {}, make("b"), " ", make("span", { class: "of dim" }))),
  make("div", { class: "track", role: "meter", "aria-label": `${b.group}: ${name}`, "aria-valuemin": 0 },
    svg, make("div", { class: "sure" }), make("div", { class: "maybe" })),
  make("div", { class: "gauge-foot" }, make("span", { class: "when" }), make("span", { class: "reserved" }), make("span", { class: "source" })));
}

function updateGauge(node, b, at) {
  for (const field of ["remaining", "limit", "low", "high", "reserved"]) attribute(node, `data-${field}`, b[field]);
  const share = b.limit > 0 ? b.remaining / b.limit : 0;
  const level = b.limit <= 0 ? "unknown" : share <= 0 ? "out" : share < 0.1 ? "low" : "good";
  attribute(node, "data-level", level);
  text(node.querySelector("b"), short(b.remaining));
  text(node.querySelector(".of"), b.limit > 0 ? t("gauge.of", { limit: short(b.limit) }) : t("gauge.unknown"));
  text(node.querySelector(".when"), when(b, at));
  text(node.querySelector(".reserved"), b.reserved > 0 ? t("gauge.reserved", { n: short(b.reserved) }) : "");
  text(node.querySelector(".source"), b.source ? t(`source.${b.source}`) : "");

  const meter = node.querySelector(".track");
  attribute(meter, "aria-valuemax", Math.max(b.limit, 0));
  attribute(meter, "aria-valuenow", clamp(b.remaining, 0, Math.max(b.limit, 0)));
  attribute(meter, "aria-valuetext", t("gauge.value", {
    remaining: whole(b.remaining), limit: whole(b.limit), low: whole(b.low), high: whole(b.high),
  }));

  const low = percent(b.low, b.limit);
  node.querySelector(".sure").style.width = `${low}%`;
  const maybe = node.querySelector(".maybe");
  maybe.style.left = `${low}%`;
  maybe.style.width = `${Math.max(percent(b.high, b.limit) - low, 0)}%`;
  attribute(node.querySelector("path"), "d", outline(history.get(bucketKey(b)).points));
}

// when says where the level is going, in the reader's time.
function when(b, at) {
  if (b.limit <= 0) return "";
  if (b.remaining <= 0) return t("gauge.isempty");
  if (b.empty_in_s !== null && b.empty_in_s !== undefined) return t("gauge.empty", { time: seconds(b.empty_in_s) });
  const full = Date.parse(b.full_at);
  if (b.remaining >= b.limit) return t("gauge.isfull");
  if (!(full > at)) return "";
  return t("gauge.full", { time: seconds((full - at) / 1000) });
}

const bucketKey = (b) => `${poolKey(b)}\u0000${b.limiter}`;

// remember keeps one point a second of each bucket.
function remember(b, at) {
  const k = bucketKey(b);
  const h = history.get(k) ?? { last: 0, points: [] };
  history.set(k, h);
  if (at - h.last < 900 && h.points.length > 0) return;
  h.last = at;
  h.points.push(clamp(b.limit > 0 ? b.remaining / b.limit : 0, 0, 1));
  if (h.points.length > POINTS) h.points.shift();
}

function outline(points) {
  const start = POINTS - points.length;
  const line = points.map((p, i) => `L${start + i} ${(100 - 96 * p).toFixed(1)}`).join("");
  return `M${start} 102${line}L${POINTS} ${(100 - 96 * points.at(-1)).toFixed(1)}V102Z`;
}

const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
const percent = (n, limit) => (limit > 0 ? clamp((100 * n) / limit, 0, 100) : 0);
