// Forms: sent as JSON, with what the server finds wrong shown at the fields.

import { Problem } from "./api.js";
import { element } from "./page.js";

/**
 * Gives a form its work: called with its values by name when it is sent. While it runs, the form can't be sent again.
 * What it throws is shown; what it returns is said, as text.
 */
export function handle(form, work) {
  form.noValidate = true;
  form.method = "post";
  form.querySelectorAll("input[type=password]").forEach(revealable);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.getAttribute("aria-busy") === "true") return;
    form.setAttribute("aria-busy", "true");
    clear(form);
    try {
      const said = await work(values(form));
      if (typeof said === "string") say(form, said);
    } catch (problem) {
      show(form, problem);
    } finally {
      form.removeAttribute("aria-busy");
    }
  });
}

/** The fields of a form by name; empty ones that are not required are left out. */
function values(form) {
  const all = {};
  for (const field of form.elements) {
    if (!field.name || field.closest("[hidden]")) continue;
    const text = field.type === "password" ? field.value : field.value.trim();
    if (text !== "" || field.required) all[field.name] = text;
  }
  return all;
}

/** Empties what was typed, and forgets what was wrong. */
export function reset(form) {
  form.reset();
  clear(form);
}

/** Shows one part of a page in place of another, and takes the reader there. */
export function swap(from, to) {
  from.hidden = true;
  to.hidden = false;
  to.querySelector("input, button")?.focus();
}

/** Says how a form went. */
export function say(form, text, bad = false) {
  const said = form.querySelector(".said");
  said.textContent = text;
  said.classList.toggle("bad", bad);
}

/** Shows a problem: each fault at its field, the rest below the form. */
export function show(form, problem) {
  if (!(problem instanceof Problem)) console.error(problem);
  const rest = [];
  const marked = new Set();
  for (const fault of problem.errors ?? []) {
    const name = (fault.pointer ?? "").split("/")[1];
    const field = name && form.elements.namedItem(name);
    if (field?.labels) {
      mark(field, fault.detail);
      marked.add(field);
    } else {
      rest.push(fault.detail);
    }
  }
  // To the first one on the page, whichever the server named first.
  const first = [...form.elements].find((field) => marked.has(field));
  first?.focus();
  if (!first || rest.length > 0) say(form, rest.join(" ") || problem.message, true);
}

function mark(field, text) {
  const id = `${field.id}-error`;
  const place = field.closest(".field");
  place.querySelector(".error")?.remove();
  place.append(element("p", { class: "error", id }, text));
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-errormessage", id);
  field.dataset.described ??= field.getAttribute("aria-describedby") ?? "";
  field.setAttribute("aria-describedby", `${field.dataset.described} ${id}`.trim());
}

function clear(form) {
  say(form, "");
  form.querySelectorAll(".error").forEach((error) => error.remove());
  form.querySelectorAll("[aria-invalid]").forEach((field) => {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-errormessage");
    if (field.dataset.described) field.setAttribute("aria-describedby", field.dataset.described);
    else field.removeAttribute("aria-describedby");
  });
}

/** A button that shows what is typed into a password field. */
function revealable(field) {
  const button = element("button", { type: "button", class: "reveal", "aria-pressed": "false" }, "Show");
  button.setAttribute("aria-label", `Show ${field.labels[0]?.textContent.toLowerCase() ?? "the password"}`);
  button.addEventListener("click", () => {
    const shown = field.type === "password";
    field.type = shown ? "text" : "password";
    button.setAttribute("aria-pressed", String(shown));
    button.textContent = shown ? "Hide" : "Show";
  });
  const box = element("div", { class: "secret" });
  field.replaceWith(box);
  box.append(field, button);
}
