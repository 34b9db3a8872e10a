// The state in one sentence, and below it whatever needs somebody's attention.

import { attribute, forget, keyed, make, text } from "./dom.js";
import { blocked } from "./keys.js";
import { broken } from "./protection.js";
import { language, t } from "./words.js";

const ALERTS = 6; // shown at once; the tables show all

const node = (id) => document.getElementById(id);

/** alerts shows the state and what is wrong. */
export function alerts(picture) {
  banner(picture.quota, broken(picture.protection).length > 0);
  const list = pressing(picture);
  const items = list.slice(0, ALERTS);
  if (list.length > ALERTS) items.push({ id: "more", said: t("alerts.more", { n: list.length - ALERTS }) });
  // They are read aloud when one comes or its sentence changes. A time in one
  // changes every second, and is not.
  keyed(node("alerts"), items, (a) => a.id, build, (item, a) => {
    text(item.firstChild, a.said);
    a.time?.(item.lastChild);
  });
}

/** pressing lists the alerts of a picture, the gravest first. */
export const pressing = (picture) => [...broken(picture.protection), ...blocked(picture.quota.keys), ...warned(picture.warnings)];

// banner speaks only when the state changes: it is read aloud.
function banner(report, failing) {
  const known = report.buckets.length > 0 || report.keys.some((k) => k.state !== "ok");
  let state = known ? report.state : "unknown";
  if (state === "blocked" && report.keys.some((k) => k.state === "ok")) state = "partly";
  if (failing && state !== "blocked") state = "failing";
  attribute(node("banner"), "data-state", state);
  text(node("banner-title"), t(`state.${state}.title`));
  text(node("banner-text"), t(`state.${state}.text`));
}

// warned are the warnings that the gateway itself gives, in its own words; what
// it warns of a breaker or a blocked key is said already.
function warned(list) {
  const said = (w) => {
    const { message, hint } = w.text?.[language()] ?? w.text?.en ?? {};
    return [message, hint].filter(Boolean).join(" ");
  };
  return (list ?? []).filter((w) => said(w) && !TOLD.includes(w.kind)).map((w) => ({ id: `warning ${w.id}`, said: said(w), level: w.level }));
}

const TOLD = ["breaker_open", "account_blocked", "key_refused"];

function build(a) {
  const item = make("li", {}, make("span"));
  if (a.scope) item.dataset.scope = a.scope;
  if (a.level) item.dataset.level = a.level;
  if (a.time) item.append(" ", make("span", { class: "time", role: "timer", "aria-live": "off" }));
  return item;
}

/** relabel makes the next picture build everything anew. */
export function relabel() {
  forget(node("alerts"));
}
