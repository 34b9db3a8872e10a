// The keys that pay: whose they are, which of them add nothing, and what keeps
// one from paying.

import { attribute, forget, keyed, make, text } from "./dom.js";
import { body, cell } from "./tables.js";
import { clock, t } from "./words.js";

/** keys shows one row for each key, and for whatever else is blocked. */
export function keys(list) {
  document.getElementById("keys-part").hidden = list.length === 0;
  keyed(body("keys"), list, (k) => k.name, buildKey, updateKey);
}

function buildKey(k) {
  const row = make("tr", { "data-key": k.name }, cell("key", "lane"), cell("organization", "wide"), cell("state"), cell("what", "full prose"));
  text(row.cells[0], k.name);
  row.cells[2].append(make("span", { class: "mark" }));
  return row;
}

function updateKey(row, k) {
  attribute(row, "data-state", k.state);
  text(row.cells[1], k.organization || t("pool.any"));
  attribute(row.cells[2].firstChild, "data-state", k.state);
  text(row.cells[2].firstChild, t(`key.${k.state}`));
  keyed(row.cells[3], facts(k), ([name]) => name, ([name]) => make("p", { "data-fact": name }), (p, [, said]) => text(p, said));
}

// facts is what there is to say of a key, the most important first.
function facts(k) {
  const all = [];
  if (k.state === "blocked") {
    all.push(["block", reason(k)], ["hint", t(`block.${k.block}.hint`)]);
    all.push(["since", t("key.since", { time: clock(k.since) })]);
    if (k.message) all.push(["message", t("key.message", { message: k.message })]);
  }
  if (k.same_quota_as?.length) all.push(["same", t("key.same", { names: k.same_quota_as.join(t("and")) })]);
  return all.length > 0 ? all : [["none", "–"]];
}

// reason says what blocks a key and until when, in the words of a refusal.
const reason = (k) =>
  t(`block.${k.block}`, { until: k.until ? t("block.until", { time: clock(k.until) }) : t("block.lifted") });

/** blocked are the alerts of the keys that cannot pay, one for all that share a reason. */
export function blocked(list) {
  const groups = new Map();
  for (const k of list.filter((k) => k.state !== "ok")) {
    const id = ["key", k.organization, k.block, k.until].join("\u0000");
    groups.set(id, [...(groups.get(id) ?? []), k]);
  }
  return [...groups].map(([id, group]) => ({
    id,
    said: t("key.blocked.said", {
      names: group.map((k) => k.name).join(t("and")), reason: reason(group[0]), hint: t(`block.${group[0].block}.hint`),
    }),
  }));
}

/** relabel makes the next picture build everything anew. */
export function relabel() {
  forget(body("keys"));
}
