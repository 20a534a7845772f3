// What all pages have: the head with its links, who is signed in, and small helpers.

import { get, post, Problem } from "./api.js";

/** An element: `element("a", { href: "/" }, "Home")`. Text is never read as HTML. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick") made.addEventListener("click", value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

/** A moment in the reader's words; the exact one where the pointer rests. */
export function moment(text) {
  const shown = new Date(text).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  return element("time", { datetime: text, title: text }, shown);
}

/** Says something at the end of the page, to eyes and to screen readers. */
export function announce(text) {
  const place = document.querySelector("#announce");
  place.textContent = text;
  clearTimeout(announce.timer);
  announce.timer = setTimeout(() => place.replaceChildren(), 8000);
}

/** Where to go after signing in: a path of this site, whatever the link said. */
export function next() {
  const wanted = new URLSearchParams(location.search).get("next") ?? "/";
  const url = new URL(wanted, location.origin);
  return url.origin === location.origin ? url.pathname + url.search : "/";
}

/** Goes to another page; Back does not come here again. */
export function go(path) {
  location.replace(path);
}

/** Who is signed in, or null. Shows the links that fit. */
export async function who() {
  let user = null;
  try {
    user = await get("/auth/me");
  } catch (problem) {
    if (!(problem instanceof Problem) || problem.status !== 401) {
      announce(problem.message);
      throw problem;
    }
  }
  for (const part of document.querySelectorAll("[data-for]")) {
    part.hidden = part.dataset.for !== (user ? "people" : "strangers");
  }
  for (const link of document.querySelectorAll("nav a")) {
    if (link.pathname === location.pathname.replace(/\.html$/, "")) link.setAttribute("aria-current", "page");
  }
  return user;
}

/** The same, for pages that strangers have nothing to do on. */
export async function somebody() {
  const user = await who();
  if (user) return user;
  go(`/sign-in?next=${encodeURIComponent(location.pathname)}`);
  return new Promise(() => {});
}

/** Takes a stranger to the sign-in where a call was refused because the session has ended. */
export function ended(problem) {
  if (problem.kind !== "unauthenticated" && problem.kind !== "bad-credentials") return false;
  go(`/sign-in?ended&next=${encodeURIComponent(location.pathname)}`);
  return true;
}

document.querySelector("#sign-out")?.addEventListener("click", async () => {
  try {
    await post("/auth/sign-out");
  } catch (problem) {
    if (problem.status !== 401) return announce(problem.message);
  }
  go("/sign-in");
});
