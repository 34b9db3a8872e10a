// The quota panel: shows what Python has put into words, and lets the
// countdowns run on between two pictures.

const EVERY = 250; // ms between two steps of the countdowns
const panels = new WeakMap(); // root: what is counted down there, and how

export default function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector(".panel");
  if (!root || !data) return undefined;
  const panel = panels.get(root) ?? { at: 0, counted: [], timers: [] };
  panels.set(root, panel);
  panel.shown = { queue: data.queue, feed: data.feed };
  show(root, data, panel);
  if (panel.timers.length === 0) {
    panel.timers.push(setInterval(() => tick(panel), EVERY), setInterval(() => read(root, panel), data.every * 1000));
  }
  return () => {
    panel.timers.forEach(clearInterval);
    panel.timers = [];
  };
}

/** Shows a picture, unless a newer one is shown already. */
function show(root, data, panel) {
  if (data.at < panel.at) return;
  // Times are those of the machine that Streamlit runs on, not the reader's.
  Object.assign(panel, { at: data.at, ahead: data.at * 1000 - Date.now(), counted: [], words: data.words });
  draw(root, data, panel);
  tick(panel);
}

/** Reads the newest picture by itself: while a script waits for its answer, none comes from Python. */
async function read(root, panel) {
  if (!panel.shown.feed || document.hidden) return;
  try {
    const answer = await fetch(new URL(panel.shown.feed, document.baseURI), { cache: "no-store" });
    const data = answer.ok ? await answer.json() : {};
    if (data.at) show(root, panel.shown.queue ? data : { ...data, lanes: [] }, panel);
  } catch {
    // The next picture from Python does as well.
  }
}

function draw(root, data, panel) {
  root.lang = data.words.lang;
  root.dataset.state = data.state;
  const parts = [make("p", "state", data.title)];
  if (data.note) parts.push(make("p", "note", data.note));
  for (const block of data.blocks) parts.push(make("p", "block", block.text));
  for (const said of data.warnings) parts.push(make("p", "warning", said));
  for (const said of data.simpler) parts.push(make("p", "simpler", said));
  for (const pool of data.pools) parts.push(drawPool(pool, panel));
  if (data.lanes.length > 0) parts.push(drawQueue(data, panel));
  root.replaceChildren(...parts);
}

function drawPool(pool, panel) {
  const node = make("article", "pool");
  const head = make("h3", "", pool.group);
  head.append(" ", make("span", "owner", pool.owner));
  node.append(head, ...pool.gauges.map((g) => drawGauge(g, panel)));
  return node;
}

function drawGauge(g, panel) {
  const node = make("div", "gauge");
  for (const name of ["organization", "group", "limiter", "limit", "remaining", "low", "high", "level"]) node.dataset[name] = g[name];
  const head = make("div", "row");
  head.append(make("span", "", g.label), make("b", "", g.left));
  const track = make("div", "track");
  const meter = { role: "meter", "aria-label": `${g.group}: ${g.label}`, "aria-valuemin": 0, "aria-valuemax": Math.max(g.limit, 0),
    "aria-valuenow": clamp(g.remaining, 0, Math.max(g.limit, 0)), "aria-valuetext": g.value };
  for (const [name, value] of Object.entries(meter)) track.setAttribute(name, value);
  const low = percent(g.low, g.limit);
  const sure = make("div", "sure");
  sure.style.width = `${low}%`;
  const maybe = make("div", "maybe");
  maybe.style.left = `${low}%`;
  maybe.style.width = `${Math.max(percent(g.high, g.limit) - low, 0)}%`;
  track.append(sure, maybe);
  const foot = make("div", "row foot");
  foot.append(count(g.when, panel), make("span", "", [g.between, g.reserved, g.source].filter(Boolean).join(" · ")));
  node.append(head, track, foot);
  return node;
}

function drawQueue(data, panel) {
  const node = make("article", "queue");
  node.append(make("h3", "", data.words["queue.title"]));
  for (const lane of data.lanes) {
    const line = make("p", "lane", lane.text);
    line.dataset.waiting = lane.waiting;
    line.append(" · ", count(lane.head, panel), " ", lane.bound);
    const list = make("ul", "");
    for (const waiter of lane.next) {
      const item = make("li", "", `${waiter.text} `);
      item.append(count(waiter.eta, panel));
      list.append(item);
    }
    node.append(line, list);
  }
  return node;
}

/** A node that counts down to a moment, or only says something. */
function count(moment, panel) {
  const node = make("span", "when", moment.before);
  if (moment.at !== null) panel.counted.push({ node, moment });
  return node;
}

function tick(panel) {
  const now = Date.now() + panel.ahead;
  for (const { node, moment } of panel.counted) {
    const left = Math.max(0, Math.ceil(moment.at - now / 1000));
    const said = moment.before + span(left, panel.words) + moment.after;
    if (node.textContent !== said) node.textContent = said;
  }
}

function span(n, words) {
  if (n < 60) return words["time.s"].replace("{n}", n);
  if (n < 3600) return words["time.ms"].replace("{m}", Math.floor(n / 60)).replace("{s}", n % 60);
  return words["time.hm"].replace("{h}", Math.floor(n / 3600)).replace("{m}", Math.floor((n % 3600) / 60));
}

// Only text is ever put into the page: names of tenants come from callers.
function make(tag, kind, text) {
  const node = document.createElement(tag);
  if (kind) node.className = kind;
  if (text) node.textContent = text;
  return node;
}

const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
const percent = (n, limit) => (limit > 0 ? clamp((100 * n) / limit, 0, 100) : 0);
