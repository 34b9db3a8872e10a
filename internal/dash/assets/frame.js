// What all pages have in common: language, theme, and the way out.

import { attribute, text } from "./dom.js";
import { next, preferred, t, use } from "./words.js";

const THEMES = ["auto", "light", "dark"];
const MEMORY = "weir-theme";

const node = (id) => document.getElementById(id);

function theme(name) {
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  text(node("theme"), t(`theme.${name}`));
}

const keptTheme = () => (THEMES.includes(localStorage.getItem(MEMORY)) ? localStorage.getItem(MEMORY) : "auto");

/** frame makes the head of a page work. retold is called after each change of
    the language, and repaint after each change of the colours. */
export async function frame({ retold = () => {}, repaint = () => {} } = {}) {
  const speak = async (language) => {
    await use(language);
    text(node("language"), t("other"));
    attribute(node("language"), "aria-label", t("other.label"));
    theme(keptTheme());
    retold();
  };
  node("language").addEventListener("click", () => speak(next()));
  node("theme").addEventListener("click", () => {
    const name = THEMES[(THEMES.indexOf(keptTheme()) + 1) % THEMES.length];
    localStorage.setItem(MEMORY, name);
    theme(name);
    repaint();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  await speak(preferred());
}

/** wayOut shows what the admin plane says there is: a session, a playground. */
export async function wayOut() {
  const answer = await fetch("/api/v1/session");
  if (answer.status === 401) return toLogin();
  const { login, playground } = await answer.json();
  node("logout").hidden = !login;
  node("nav").hidden = !playground;
  node("logout").addEventListener("click", async () => {
    await fetch("/api/v1/logout", { method: "POST" });
    location.assign("/login");
  });
}

/** toLogin leaves for the login page, which leads back here. */
export function toLogin() {
  location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
}
