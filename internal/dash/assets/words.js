// The page's words in one language at a time, and numbers in that language's
// way. A new language is one more JSON file and its name in LANGUAGES.

const LANGUAGES = ["en", "zh"];
const MEMORY = "weir-language";

let words = {};
let spoken = "en";

/** language is the one in use. */
export const language = () => spoken;

/** language that the reader chose, or the browser asks for. */
export function preferred() {
  const kept = localStorage.getItem(MEMORY);
  if (LANGUAGES.includes(kept)) return kept;
  const asked = navigator.languages ?? [navigator.language];
  for (const tag of asked) {
    const short = tag.slice(0, 2).toLowerCase();
    if (LANGUAGES.includes(short)) return short;
  }
  return "en";
}

/** use loads a language and puts its words into the page's fixed parts. */
export async function use(name) {
  const answer = await fetch(`/assets/${name}.json`);
  words = await answer.json();
  spoken = name;
  numbers = new Intl.NumberFormat(name);
  document.documentElement.lang = name === "zh" ? "zh-CN" : name;
  for (const node of document.querySelectorAll("[data-t]")) {
    node.textContent = t(node.dataset.t);
  }
  for (const node of document.querySelectorAll("[data-t-hint]")) {
    node.placeholder = t(node.dataset.tHint);
  }
}

/** next is the language that the switch leads to; choosing it is remembered. */
export function next() {
  const name = LANGUAGES[(LANGUAGES.indexOf(spoken) + 1) % LANGUAGES.length];
  localStorage.setItem(MEMORY, name);
  return name;
}

/** t is the text for key, with {names} filled in; an unknown key is itself. */
export function t(key, values = {}) {
  const text = words[key] ?? key.slice(key.indexOf(".") + 1);
  return text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}

// Making a format takes a hundred times as long as using it.
let numbers = new Intl.NumberFormat("en");
const thousands = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 0 });
const millions = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });

/** whole is a number in full; short is one that fits a gauge. */
export const whole = (n) => numbers.format(n);

// Chinese counts in ten thousands, but token limits are read in k and M.
export const short = (n) => (Math.abs(n) < 1e6 ? thousands : millions).format(n);

/** seconds as people say them. */
export function seconds(s) {
  if (s === null || s === undefined || !Number.isFinite(s)) return "–";
  if (s < 0.0005) return t("time.s", { n: 0 });
  if (s < 1) return t("time.ms", { n: Math.round(s * 1000) });
  if (s < 60) return t("time.s", { n: s.toFixed(1) });
  const all = Math.round(s);
  if (all < 3600) return t("time.min", { m: Math.floor(all / 60), s: all % 60 });
  return t("time.h", { h: Math.floor(all / 3600), m: Math.floor((all % 3600) / 60) });
}

/** wait is a time in whole seconds, for countdowns. */
export const wait = (s) => (s < 60 ? t("time.s", { n: s }) : seconds(s));

/** clock is the time of day, or the date too if it is another day. */
export function clock(stamp) {
  const at = new Date(stamp);
  const today = at.toDateString() === new Date().toDateString();
  return at.toLocaleString(spoken === "zh" ? "zh-CN" : spoken, today ? { timeStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" });
}
