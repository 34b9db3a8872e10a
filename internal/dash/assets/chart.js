// The last half hour of one bucket: its level, its limit, and who waited. The
// gateway keeps it, so that a page that is opened anew shows what led here.

import uPlot from "/assets/vendor/uPlot.esm.js";
import { attribute, text } from "./dom.js";
import { seconds, short, t, whole } from "./words.js";

const SPAN = 1800; // s
const STEP = 5; // s between points; the last one moves with each picture
const SHORTEST = 120; // s that are shown even if less is known
const HEIGHT = 220;
const EVERY = 1900; // ms between drawings

const node = (id) => document.getElementById(id);
const poolKey = (b) => [b.organization, b.workspace, b.group].join("\u0000");

let plot = null;
let chosen = null; // key of the pool
let data = [[], [], [], []]; // times, level, limit, waiting
let seeded = ""; // the choice that data belongs to
let asking = false;
let drawn = 0;
let inView = false; // what nobody sees is not drawn

/** chart shows one picture, and offers what can be chosen. */
export function chart(picture) {
  const { buckets } = picture.quota;
  node("history").hidden = buckets.length === 0;
  if (buckets.length === 0) return;
  offer(buckets);
  const b = buckets.find((b) => poolKey(b) === chosen && b.limiter === node("history-limiter").value);
  if (!b) return;
  if (seeded !== choice()) seed(b);
  if (seeded !== choice()) return; // it comes with a later picture
  const lane = picture.queue.lanes.find((l) => l.organization === b.organization && l.group === b.group);
  append(Date.parse(picture.at) / 1000, [b.remaining, b.limit, lane ? lane.waiting : null]);
  if (performance.now() - drawn > EVERY) draw();
}

const choice = () => `${chosen}\u0000${node("history-limiter").value}`;

// offer fills the list of pools when it changes, and keeps the reader's choice.
function offer(buckets) {
  const pools = new Map(buckets.map((b) => [poolKey(b), b]));
  const list = node("history-pool");
  if (!pools.has(chosen)) chosen = pools.keys().next().value;
  const all = [...pools.keys()].join("\n");
  if (list.offered !== all) {
    list.offered = all;
    list.replaceChildren(...[...pools].map(([k, b]) => new Option([b.group, b.organization || t("pool.any"), b.workspace].filter(Boolean).join(" · "), k)));
  }
  if (list.value !== chosen) list.value = chosen;
}

// seed asks the gateway for what was before.
async function seed(b) {
  if (asking) return;
  asking = true;
  const want = choice();
  const query = new URLSearchParams({ organization: b.organization, workspace: b.workspace, group: b.group });
  try {
    const past = await (await fetch(`/api/v1/history?${query}`)).json();
    const bucket = past.buckets.find((x) => x.limiter === b.limiter);
    data = [past.times, bucket?.remaining ?? nothing(past.times), bucket?.limit ?? nothing(past.times), past.lanes[0]?.waiting ?? nothing(past.times)].map((l) => [...l]);
    seeded = want;
    drawn = 0;
  } catch {
    seeded = ""; // the next picture asks again
  }
  asking = false;
}

const nothing = (times) => times.map(() => null);

/** reseed makes the next picture ask for the past anew: there may be a gap. */
export function reseed() {
  seeded = "";
}

// append moves the last point until a step is over.
function append(at, values) {
  const times = data[0];
  if (times.length > 1 && at - times.at(-2) < STEP) for (const list of data) list.pop();
  if (times.length > 0 && at <= times.at(-1)) return;
  [at, ...values].forEach((v, i) => data[i].push(v));
  while (times[0] < at - SPAN) for (const list of data) list.shift();
}

function draw() {
  drawn = performance.now();
  describe();
  if (!inView) return;
  if (plot === null) build();
  plot.setData(data);
}

// describe says in words what the picture shows, for whoever does not see it.
function describe() {
  const levels = data[1].filter((v) => v !== null);
  const waiting = data[3].filter((v) => v !== null);
  const past = data[0].at(-1) - data[0][0];
  attribute(node("history-chart"), "aria-label", t("history.said", {
    time: seconds(past), low: whole(Math.min(...levels)), high: whole(Math.max(...levels)), waiting: whole(Math.max(0, ...waiting)),
  }));
  text(node("history-now"), t("history.now", { level: whole(levels.at(-1)), limit: whole(data[2].at(-1)), waiting: whole(waiting.at(-1) ?? 0) }));
}

function build() {
  const box = node("history-chart");
  const css = getComputedStyle(document.documentElement);
  const probe = document.createElement("span");
  box.replaceChildren(probe);
  // light-dark() is resolved by the browser only where it is used.
  const colour = (name) => {
    probe.style.color = css.getPropertyValue(`--${name}`);
    return getComputedStyle(probe).color;
  };
  const [ink, grid, level, limit, queue] = ["dim", "line", "water", "tight", "out"].map(colour);
  const axis = (more) => ({ stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 }, font: "12px system-ui, sans-serif", ...more });
  const day = new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: "short" });
  const value = (u, v) => (v === null || v === undefined ? "–" : whole(v));
  box.replaceChildren();
  plot = new uPlot({
    width: Math.max(box.clientWidth, 200), height: HEIGHT,
    cursor: { drag: { x: false, y: false } },
    scales: { x: { time: true, range: (u, from, to) => [Math.min(from, to - SHORTEST), to] }, y: { range: (u, low, high) => [Math.min(0, low ?? 0), 1.05 * (high || 1)] }, queue: { range: (u, low, high) => [0, Math.max(4, 1.1 * (high ?? 0))] } },
    axes: [
      axis({ incrs: [60, 120, 300, 600, 900], space: 70, values: (u, splits) => splits.map((s) => day.format(1000 * s)) }),
      axis({ size: 56, values: (u, splits) => splits.map(short) }),
      axis({ scale: "queue", side: 1, size: 48, grid: { show: false }, values: (u, splits) => splits.map((s) => (Number.isInteger(s) ? short(s) : "")) }),
    ],
    series: [
      { label: t("history.at"), value: (u, v) => (v ? day.format(1000 * v) : "–") },
      { label: t("history.level"), stroke: level, fill: level.replace(")", " / 0.18)").replace("rgb(", "rgb(").replaceAll(",", ""), width: 1.5, points: { show: false }, value },
      { label: t("history.limit"), stroke: limit, width: 1.5, dash: [6, 4], points: { show: false }, value },
      { label: t("history.waiting"), scale: "queue", stroke: queue, width: 1.5, points: { show: false }, value },
    ],
  }, data, box);
}

/** relabel draws it anew, in other words or colours. */
export function relabel() {
  plot?.destroy();
  plot = null;
  node("history-pool").offered = "";
  if (seeded) draw();
}

new ResizeObserver(([box]) => plot?.setSize({ width: Math.max(box.contentRect.width, 200), height: HEIGHT })).observe(node("history-chart"));
new IntersectionObserver(([box]) => {
  inView = box.isIntersecting;
  drawn = 0;
}).observe(node("history-chart"));
node("history-pool").addEventListener("change", (event) => (chosen = event.target.value));
