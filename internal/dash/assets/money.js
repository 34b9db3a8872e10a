// What answers cost and what was saved: caches, money. A part that
// the gateway has no figures for is not shown.

import { countdown, still } from "./countdown.js";
import { attribute, forget, keyed, make, text } from "./dom.js";
import { body, cell } from "./tables.js";
import { clock, short, t, wait, whole } from "./words.js";

const node = (id) => document.getElementById(id);
const KINDS = ["tenants", "models", "days"];

/** cache shows both caches: the upstream's of prompts, ours of answers. */
export function cache({ recent: r, cache: c, prompt_cache: p }) {
  const items = [];
  const input = r.input_tokens + r.cache_read_tokens;
  if (r.cache_read_tokens + r.cache_write_tokens > 0) {
    items.push(["share", `${Math.round((100 * r.cache_read_tokens) / input)} %`], ["read", short(r.cache_read_tokens)], ["write", short(r.cache_write_tokens)]);
  }
  if (p) items.push(["freed", short(p.freed_tokens)], ["net", `$${Number(p.saved_usd).toFixed(2)}`]);
  if (c) {
    const asked = c.hits + c.misses + c.joins;
    items.push(["hits", asked > 0 ? `${Math.round((100 * (c.hits + c.joins)) / asked)} %` : "–"], ["joins", whole(c.joins)], ["entries", short(c.entries)],
      ["saved", short(c.saved_tokens)], ["saved-usd", dollars(c.saved_usd)]);
    for (const store of c.stores ?? []) if (store.state !== "ok") items.push([`away-${store.name}`, "!"]);
  }
  node("cache-part").hidden = items.length === 0;
  keyed(node("cache"), items, ([k]) => k,
    ([k]) => make("div", { "data-cache": k }, make("dt", {}, t(`cache.${k}`)), make("dd")),
    (tile, [, value]) => text(tile.lastChild, value));
}

/** dollars shows an amount in cents, or exactly where it is less than one. */
function dollars(exact) {
  return Number(exact) >= 0.01 ? `$${Number(exact).toFixed(2)}` : `$${exact}`;
}

/** money shows budgets, and the costs by tenant, model and day. */
export function money(report) {
  node("money-part").hidden = !report;
  if (!report) return;
  text(node("money-total"), t("money.total", { cost: report.total.cost_usd, since: clock(report.since), n: whole(report.total.requests) }));
  keyed(node("budgets"), report.budgets ?? [], (b) => `${b.name}/${b.subject ?? ""}`, buildBudget, updateBudget);
  for (const kind of KINDS) {
    const rows = report[kind] ?? [];
    node(`money-${kind}-part`).hidden = rows.length === 0;
    keyed(body(`money-${kind}`), rows, (r) => r.name, (r) => {
      const row = make("tr", { "data-name": r.name }, cell(`money.${kind}`, "lane"), cell("cost", "num"), cell("requests", "num"), cell("tokens", "num"));
      text(row.cells[0], r.name || "–");
      return row;
    }, (row, r) => {
      text(row.cells[1], `$${r.cost_usd}`);
      text(row.cells[2], whole(r.requests));
      text(row.cells[3], `${short(r.input_tokens)} / ${short(r.output_tokens)}`);
    });
  }
}

/** title names a budget, and whose share of it this is. */
const title = (b) => (b.subject ? `${b.name} · ${b.subject}` : b.name);

function buildBudget(b) {
  return make("div", { class: "budget", "data-budget": b.name },
    make("div", { class: "gauge-head" }, make("span", {}, title(b)), make("span")),
    make("div", { class: "track thin", role: "meter", "aria-label": t("budget.name", { name: title(b) }), "aria-valuemin": 0, "aria-valuemax": 100 }, make("div", { class: "sure" })),
    make("div", { class: "gauge-foot" }, make("span")));
}

function updateBudget(box, b) {
  const [head, meter, foot] = box.children;
  const percent = Math.min(100, Math.round(100 * b.share));
  attribute(box, "data-level", b.share >= 1 ? "out" : b.share >= (b.soft_percent || 80) / 100 ? "low" : "good");
  text(head.lastChild, t("budget.spent", { spent: b.spent_usd, limit: b.limit_usd, percent }));
  attribute(meter, "aria-valuenow", percent);
  const bar = meter.firstChild;
  bar.style.transform = `scaleX(${Math.min(1, b.share)})`;
  if (b.reset_at) countdown(foot.firstChild, b.reset_at, (left) => t("budget.reset", { time: clock(b.reset_at), left: wait(left) }));
  else still(foot.firstChild, t("budget.never"));
}

/** relabel makes the next picture build everything anew. */
export function relabel() {
  for (const id of KINDS.map((k) => `money-${k}`)) forget(body(id));
  for (const id of ["cache", "budgets"]) forget(node(id));
}
