// The queue: by class, by tenant, who goes next, and by lane.

import { countdown, still } from "./countdown.js";
import { attribute, forget, keyed, make, text } from "./dom.js";
import { body, cell } from "./tables.js";
import { seconds, short, t, wait, whole } from "./words.js";

const CLASSES = ["interactive", "normal", "batch"]; // the most urgent first
const ROWS = 12; // of tenants, and of those who go next

const node = (id) => document.getElementById(id);

/** queue shows who waits for what, and until when. */
export function queue(report) {
  const { lanes } = report;
  const at = Date.parse(report.at);
  const waits = lanes.some((l) => l.waiting > 0);
  node("queue-none").hidden = waits;
  for (const id of ["classes", "tenants-part", "next-part"]) node(id).hidden = !waits;
  node("queue-part").hidden = lanes.length === 0;
  classes(lanes);
  tenants(lanes, at);
  next(lanes, at);
  keyed(body("queue"), lanes, (l) => `${l.organization}\u0000${l.group}`, buildLane, updateLane);
}

// eta is a live countdown to when a call goes.
function eta(cell, s, at) {
  if (s === null || s === undefined) still(cell, "–");
  else countdown(cell, at + 1000 * s, (left) => (left > 0 ? t("queue.in", { time: wait(left) }) : t("queue.now")));
}

function classes(lanes) {
  const items = CLASSES.map((name) => [name, lanes.reduce((sum, l) => sum + (l.by_class?.[name] ?? 0), 0)]);
  keyed(node("classes"), items, ([name]) => name,
    ([name]) => make("div", { "data-class": name }, make("dt", {}, t(`class.${name}`)), make("dd")),
    (tile, [, n]) => text(tile.lastChild, whole(n)));
}

function tenants(lanes, at) {
  const list = lanes.flatMap((l) => (l.tenants ?? []).map((x) => ({ ...x, group: l.group, organization: l.organization })));
  list.sort((a, b) => b.waiting - a.waiting || a.tenant.localeCompare(b.tenant));
  keyed(body("tenants"), list.slice(0, ROWS), (x) => [x.organization, x.group, x.tenant].join("\u0000"), (x) => {
    const row = make("tr", { "data-tenant": x.tenant }, cell("tenant", "lane"), cell("group", "wide"), cell("waiting", "num"), cell("position", "num"), cell("eta", "num"), cell("last", "num"));
    text(row.cells[0], x.tenant || "–");
    text(row.cells[1], x.group);
    return row;
  }, (row, x) => {
    text(row.cells[2], whole(x.waiting));
    text(row.cells[3], whole(x.position));
    eta(row.cells[4], x.eta_s, at);
    eta(row.cells[5], x.last_eta_s, at);
  });
}

function next(lanes, at) {
  const list = lanes.flatMap((l) => (l.next ?? []).map((w) => ({ ...w, group: l.group })));
  list.sort((a, b) => (a.eta_s ?? Infinity) - (b.eta_s ?? Infinity) || a.position - b.position);
  keyed(body("next"), list.slice(0, ROWS), (w) => w.id, (w) => {
    const row = make("tr", { "data-waiter": w.id }, cell("position", "num"), cell("tenant", "wide"), cell("group", "wide"), cell("class"), cell("tokens.in", "num"), cell("waited", "num"), cell("eta", "num"));
    [, w.tenant || "–", w.group, t(`class.${w.class}`), short(w.input_tokens)].forEach((v, i) => text(row.cells[i], v));
    return row;
  }, (row, w) => {
    text(row.cells[0], whole(w.position));
    text(row.cells[5], seconds(w.waited_s));
    eta(row.cells[6], w.eta_s, at);
  });
}

function buildLane(l) {
  const row = make("tr", { "data-organization": l.organization, "data-group": l.group },
    cell("lane", "lane"), cell("waiting", "num"), cell("inflight", "num"), cell("oldest", "num"),
    cell("head", "num"), cell("bound"), cell("classes", "wide"));
  const owner = l.organization.length > 13 ? `${l.organization.slice(0, 8)}…` : l.organization;
  row.cells[0].append(l.group, make("small", { title: l.organization }, owner));
  return row;
}

function updateLane(row, l) {
  attribute(row, "data-waiting", l.waiting);
  attribute(row, "data-in-flight", l.in_flight);
  text(row.cells[1], whole(l.waiting));
  text(row.cells[2], whole(l.in_flight));
  text(row.cells[3], l.waiting > 0 ? seconds(l.oldest_wait_s) : "–");
  text(row.cells[4], seconds(l.head_in_s));
  text(row.cells[5], l.bound_by ? t(`limiter.${l.bound_by}`) : "–");
  const some = CLASSES.map((name) => [name, l.by_class?.[name] ?? 0]).filter(([, n]) => n > 0);
  keyed(row.cells[6], some, ([name]) => name, () => make("span", { class: "chip" }),
    (chip, [name, n]) => text(chip, `${t(`class.${name}`)} ${whole(n)}`));
}

/** relabel makes the next picture build everything anew. */
export function relabel() {
  for (const id of ["queue", "tenants", "next"]) forget(body(id));
  forget(node("classes"));
}
