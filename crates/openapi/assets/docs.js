// The page: loads the document of whoever asks, lists its calls and types, and shows the one that the address names.

import { form, identity, isFilter } from "./request.js";
import { h, inline, limitsOf, prose, resolve, show, typeOf } from "./schema.js";

const METHODS = ["get", "post", "put", "patch", "delete"];
const $ = (id) => document.getElementById(id);
let root = null;
let calls = [];

async function load() {
  const answer = await fetch("/openapi.json", { headers: identity.headers(), credentials: identity.credentials(), cache: "no-store" });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw new Error(problem.detail ?? `the server answered ${answer.status}`);
  }
  root = await answer.json();
  calls = Object.entries(root.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({
      method,
      path,
      operation: item[method],
      parameters: [...(item.parameters ?? []), ...(item[method].parameters ?? [])].map((parameter) => resolve(root, parameter)),
    })));
  document.title = root.info.title;
  $("title").textContent = root.info.title;
}

function list(wanted = "") {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (text) => words.every((word) => text.toLowerCase().includes(word));
  const sections = root.tags.map((tag) => {
    const found = calls.filter((call) => call.operation.tags?.includes(tag.name) && fits(`${call.method} ${call.path} ${call.operation.operationId} ${call.operation.summary}`));
    return found.length > 0 && h("section", {}, h("h2", {}, h("a", { href: `#/tag/${tag.name}` }, tag.name)),
      h("ul", {}, found.map((call) => link(`#/call/${call.operation.operationId}`, h("span", { class: `method ${call.method}` }, call.method.toUpperCase()), h("span", {}, call.operation.summary)))));
  });
  const types = Object.keys(root.components.schemas).filter(fits);
  const shown = types.length > 0 && h("section", {},
    h("details", { open: words.length > 0 }, h("summary", {}, `Types (${types.length})`), h("ul", {}, types.map((name) => link(`#/type/${name}`, name)))));
  const all = [...sections, shown].filter(Boolean);
  $("list").replaceChildren(...(all.length ? all : [h("p", { class: "soft" }, "Nothing is called so.")]));
}

const link = (href, ...words) => h("li", {}, h("a", { href, "aria-current": href === location.hash ? "page" : null }, words));

function overview() {
  return [
    h("h1", {}, root.info.title),
    prose(root.info.description),
    h("p", { class: "soft small" }, `OpenAPI ${root.openapi}, version ${root.info.version}: `, h("a", { href: "/openapi.json" }, "/openapi.json")),
    root.tags.map((tag) => section(tag)),
  ];
}

function section(tag) {
  return [
    h("h2", {}, h("a", { href: `#/tag/${tag.name}` }, tag.name)),
    prose(tag.description).filter((block) => block.textContent),
    h("ul", { class: "members" }, calls.filter((call) => call.operation.tags?.includes(tag.name)).map((call) =>
      h("li", {}, h("a", { href: `#/call/${call.operation.operationId}` }, h("span", { class: `method ${call.method}` }, call.method.toUpperCase()), " ", h("span", { class: "path" }, call.path)),
        h("div", { class: "soft small" }, call.operation.summary)))),
  ];
}

function call({ method, path, operation, parameters }) {
  const body = operation.requestBody && resolve(root, operation.requestBody);
  const kinds = body && Object.keys(body.content);
  const statuses = Object.entries(operation.responses);
  const problems = statuses.filter(([status]) => status >= "400");
  const described = h("div", {},
    h("h1", {}, operation.summary ?? operation.operationId),
    h("div", { class: "call" }, h("span", { class: `method ${method}` }, method.toUpperCase()), h("span", { class: "path" }, path)),
    h("p", { class: "soft small" }, "Named ", h("code", {}, operation.operationId), " in ", operation.tags?.map((tag) => h("a", { href: `#/tag/${tag}` }, tag))),
    prose(operation.description).filter((block) => block.textContent),
    parametersOf(parameters),
    body && [h("h2", {}, "Body"), h("p", { class: "soft small" }, kinds.join(", ")), show(root, body.content[kinds[0]].schema)],
    h("h2", {}, "Answers"),
    statuses.filter(([status]) => status < "400").map(([status, response]) => answer(status, response)),
    h("details", { class: "block" }, h("summary", {}, "Problems ", h("span", { class: "soft small" }, problems.map(([status]) => status).join(", "))),
      problems.map(([status, response]) => answer(status, response))));
  const tried = form(root, { method, path, operation, parameters });
  described.querySelector(".call").append(h("button", { type: "button", class: "jump", onclick: () => { tried.scrollIntoView(); tried.querySelector("input, select, textarea, button").focus({ preventScroll: true }); } }, "Try it"));
  return h("div", { class: "split" }, described, tried);
}

function parametersOf(parameters) {
  if (parameters.length === 0) return null;
  const filters = parameters.filter(isFilter);
  return [
    h("h2", {}, "Parameters"),
    h("ul", { class: "members" }, parameters.filter((parameter) => !isFilter(parameter)).map(parameterOf)),
    filters.length > 0 && h("details", { class: "block" }, h("summary", {}, `${filters.length} filters by field`), h("ul", { class: "members" }, filters.map(parameterOf))),
  ];
}

function parameterOf(parameter) {
  const schema = resolve(root, parameter.schema);
  const values = (schema.enum ?? schema.items?.enum ?? []).filter((value) => value !== "");
  return h("li", {},
    h("div", { class: "head" }, h("strong", {}, parameter.name), h("span", { class: "type" }, typeOf(root, parameter.schema)),
      h("span", { class: "soft small" }, parameter.in), parameter.required && h("span", { class: "must" }, "required"), h("span", { class: "soft small" }, limitsOf(schema))),
    prose(parameter.description, "small"),
    values.length > 0 && h("details", {}, h("summary", { class: "small" }, values.length === 1 ? "1 value" : `${values.length} values`), h("p", { class: "small" }, values.map((value) => [h("code", {}, value), " "]))));
}

function answer(status, reference) {
  const response = resolve(root, reference);
  const content = Object.entries(response.content ?? {});
  const headers = Object.entries(response.headers ?? {});
  const good = status < 400;
  return h("details", { class: "block", open: status.startsWith("2") },
    h("summary", {}, h("span", { class: `status ${good ? "good" : "bad"}` }, status), " ", h("span", { class: "small" }, inline(response.description))),
    headers.length > 0 && h("p", { class: "soft small" }, "Headers: ", headers.map(([name], index) => [index ? ", " : "", h("code", {}, name)])),
    content.length > 0 && h("p", { class: "soft small" }, content.map(([kind]) => kind).join(", ")),
    content.length > 0 && show(root, content[0][1].schema));
}

function type(name) {
  const schema = root.components.schemas[name];
  const used = calls.filter(({ operation }) => JSON.stringify([operation.requestBody, operation.responses]).includes(`/schemas/${name}"`));
  return [
    h("h1", {}, name),
    show(root, schema),
    schema.examples && [h("h2", {}, "Example"), h("pre", { tabIndex: 0 }, JSON.stringify(schema.examples[0], null, 2))],
    used.length > 0 && [h("h2", {}, "Used by"), h("ul", {}, used.map(({ operation }) => h("li", {}, h("a", { href: `#/call/${operation.operationId}` }, operation.summary))))],
  ];
}

/** Shows what the address names. */
function route(focus = true) {
  const [, kind, name] = decodeURIComponent(location.hash).match(/^#\/(call|tag|type)\/(.+)$/) ?? [];
  const named = {
    call: () => { const found = calls.find((one) => one.operation.operationId === name); return found && call(found); },
    tag: () => { const tag = root.tags.find((one) => one.name === name); return tag && section(tag); },
    type: () => root.components.schemas[name] && type(name),
  };
  const shown = kind ? named[kind]() : overview();
  const missing = [h("h1", {}, "Not here"), h("p", {}, "Nothing of this name is in the document that you may see. ", h("a", { href: "#/" }, "To the overview"))];
  const main = $("main");
  main.replaceChildren(...[shown ?? missing].flat(3).filter(Boolean));
  const title = main.querySelector("h1, h2")?.textContent;
  document.title = kind && title ? `${title} · ${root.info.title}` : root.info.title;
  for (const anchor of $("list").querySelectorAll("a")) anchor.toggleAttribute("aria-current", anchor.getAttribute("href") === location.hash);
  menu(false);
  if (focus) { scrollTo(0, 0); main.focus({ preventScroll: true }); }
}

function menu(open) {
  $("nav").classList.toggle("open", open);
  $("menu").setAttribute("aria-expanded", String(open));
}

function who() {
  const token = h("input", { type: "password", value: identity.token, autocomplete: "off", spellcheck: false, placeholder: "msk_…" });
  const ways = [["bearer", "Bearer token", !identity.cookie], ["cookie", "Session cookie of this site", identity.cookie]];
  const choices = ways.map(([value, label, checked]) => h("label", {}, h("input", { type: "radio", name: "way", value, checked }), " ", label));
  const told = h("p", { class: "small", "aria-live": "polite" });
  const take = async (event) => {
    event.preventDefault();
    identity.cookie = $("who").querySelector("[value=cookie]").checked;
    identity.token = token.value.trim();
    try { await refresh(); told.textContent = "The document is now the one that you may see."; } catch (error) { told.textContent = `That does not work: ${error.message}`; }
  };
  const forget = () => { identity.token = ""; identity.cookie = false; token.value = ""; $("who").querySelector("[value=bearer]").checked = true; };
  $("who").replaceChildren(h("form", { onsubmit: take },
    h("div", { class: "row choices" }, choices),
    h("label", { class: "field" }, h("span", {}, "Token: an API key or an access token, kept until this tab is closed"), token),
    h("div", { class: "row" }, h("button", { class: "main", type: "submit" }, "Use"), h("button", { onclick: forget, type: "submit" }, "Be a stranger")),
    told));
}

async function refresh() {
  const called = identity.cookie ? "Session" : identity.token ? "Token" : "Stranger";
  $("identity").textContent = called;
  dispatchEvent(new Event("identity"));
  await load();
  list($("find").value);
  route(false);
}

$("menu").addEventListener("click", () => menu(!$("nav").classList.contains("open")));
$("identity").addEventListener("click", () => {
  $("who").hidden = !$("who").hidden;
  $("identity").setAttribute("aria-expanded", String(!$("who").hidden));
  if (!$("who").hidden) $("who").querySelector("input[type=password]").focus();
});
$("find").addEventListener("input", (event) => list(event.target.value));
addEventListener("hashchange", () => route());
addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, textarea, select");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) { event.preventDefault(); menu(true); $("find").focus(); }
  if (event.key === "Escape") menu(false);
});
who();
refresh().catch((error) => $("main").replaceChildren(h("h1", {}, "No document"), h("p", {}, `It could not be loaded: ${error.message}`)));
