// Exchanges the admin token for a session, and leads back to where one wanted
// to go.

import { frame } from "./frame.js";
import { t } from "./words.js";

const node = (id) => document.getElementById(id);
const PAGES = ["/", "/playground"];

let wrong = ""; // key of what went wrong

const retold = () => (node("wrong").textContent = wrong ? t(wrong) : "");

node("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await fetch("/api/v1/login", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token: node("token").value }),
  }).catch(() => null);
  if (answer?.ok) {
    const next = new URLSearchParams(location.search).get("next");
    location.assign(PAGES.includes(next) ? next : "/");
    return;
  }
  wrong = { 401: "login.wrong", 429: "login.many" }[answer?.status] ?? "link.lost";
  retold();
  node("token").select();
});

await frame({ retold });
