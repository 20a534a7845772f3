// Builds a request from a form, says it as a curl command, sends it, and shows what came back.

import { h, resolve, typeOf } from "./schema.js";

/** Who asks: a bearer token, kept for this tab only, or the cookie of a session. */
export const identity = {
  get token() { return sessionStorage.getItem("token") ?? ""; },
  set token(text) { text ? sessionStorage.setItem("token", text) : sessionStorage.removeItem("token"); },
  get cookie() { return sessionStorage.getItem("cookie") === "yes"; },
  set cookie(wanted) { wanted ? sessionStorage.setItem("cookie", "yes") : sessionStorage.removeItem("cookie"); },
  headers() { return this.token && !this.cookie ? { Authorization: `Bearer ${this.token}` } : {}; },
  credentials() { return this.cookie ? "same-origin" : "omit"; },
};

/** Whether a request asks for a session in a cookie, which the browser keeps only where it may send cookies, too. */
const asksForCookie = ({ headers }) => headers["Mainstay-Session"] === "cookie";

/** The parts of a request that its form holds at the moment. */
export function requestOf(form, method, path) {
  const headers = identity.headers();
  const query = [];
  let filled = path;
  for (const input of form.querySelectorAll("[data-in]")) {
    const value = input.value;
    if (value === "") continue;
    const name = input.dataset.name;
    if (input.dataset.in === "path") filled = filled.replace(`{${name}}`, encodeURIComponent(value));
    else if (input.dataset.in === "header") headers[name] = value;
    else query.push(`${encodeURIComponent(name).replaceAll("%5B", "[").replaceAll("%5D", "]")}=${encodeURIComponent(value).replaceAll("%2C", ",")}`);
  }
  const body = form.querySelector("textarea[name=body]")?.value;
  const kind = form.querySelector("select[name=kind]")?.value;
  if (body) headers["Content-Type"] = kind;
  const accept = form.querySelector("select[name=accept]")?.value;
  if (accept) headers.Accept = accept;
  const url = location.origin + filled + (query.length ? `?${query.join("&")}` : "");
  return { method: method.toUpperCase(), url, headers, body: body || undefined };
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** The same request for a shell; a token is shown as a variable, so that it can be passed on. */
export function curl({ method, url, headers, body }) {
  const parts = [`curl -i${method === "GET" ? "" : ` -X ${method}`} ${quoted(url)}`];
  for (const [name, value] of Object.entries(headers)) {
    parts.push(name === "Authorization" ? `-H "Authorization: Bearer $TOKEN"` : `-H ${quoted(`${name}: ${value}`)}`);
  }
  if (identity.cookie) parts.push('-b "$COOKIE"');
  else if (asksForCookie({ headers })) parts.push("-c cookies.txt");
  if (body) parts.push(`--data-raw ${quoted(body)}`);
  return parts.join(" \\\n  ");
}

/** Whether a parameter narrows a list by one field. There are many of these. */
export const isFilter = (parameter) => parameter.in === "query" && (parameter.name.includes("[") || /^Only records/.test(parameter.description ?? ""));

/** A form for a call, with the place where its answer appears. */
export function form(root, call) {
  const { method, path, operation, parameters } = call;
  const shown = (parameter) => !isFilter(parameter);
  const inputs = parameters.filter(shown).map((parameter) => field(root, parameter));
  const rest = parameters.filter((parameter) => !shown(parameter)).map((parameter) => field(root, parameter));
  const command = h("pre", { tabIndex: 0, "aria-label": "The request as a curl command" });
  const answer = h("div", { "aria-live": "polite" });
  const send = h("button", { class: "main", type: "submit" }, "Send");
  const stop = h("button", { type: "button", hidden: true }, "Stop");
  const copy = h("button", { type: "button" }, "Copy curl");
  const element = h("form", { class: "try", autocomplete: "off", "aria-label": "Try it" },
    h("h2", {}, "Try it"),
    inputs,
    rest.length > 0 && h("details", {}, h("summary", {}, `${rest.length} filters by field`), rest),
    body(root, operation),
    accepts(root, operation),
    h("div", { class: "row" }, send, stop, copy),
    command,
    answer);
  const update = () => { command.textContent = curl(requestOf(element, method, path)); };
  element.addEventListener("input", update);
  addEventListener("identity", update);
  copy.addEventListener("click", async () => {
    await navigator.clipboard?.writeText(command.textContent).catch(() => {});
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy curl"; }, 1500);
  });
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    const missing = [...element.querySelectorAll("[data-in=path]")].find((input) => !input.value);
    if (missing) { missing.focus(); return; }
    const abort = new AbortController();
    stop.onclick = () => abort.abort();
    send.disabled = true;
    stop.hidden = false;
    try { await ask(requestOf(element, method, path), answer, abort.signal); } finally { send.disabled = false; stop.hidden = true; }
  });
  update();
  return element;
}

function field(root, parameter) {
  const schema = resolve(root, parameter.schema);
  const single = parameter.schema.type === "array" ? undefined : schema.enum ?? (schema.type === "boolean" ? ["true", "false"] : undefined);
  const data = (input) => { input.dataset.in = parameter.in; input.dataset.name = parameter.name; return input; };
  const suggestions = schema.items?.enum?.filter((value) => value !== "") ?? schema.examples ?? schema.items?.examples;
  const listId = suggestions && `values-${parameter.in}-${parameter.name}`;
  const input = single
    ? h("select", {}, h("option", { value: "" }, ""), single.map((value) => h("option", { value }, value)))
    : h("input", { type: "text", spellcheck: false, placeholder: String(schema.default ?? typeOf(root, parameter.schema)), list: listId });
  return h("label", { class: "field" },
    h("span", {}, h("code", {}, parameter.name), parameter.in === "header" ? " header" : "", parameter.required && h("span", { class: "must" }, " required")),
    data(input),
    suggestions && h("datalist", { id: listId }, suggestions.slice(0, 200).map((value) => h("option", { value }))));
}

function body(root, operation) {
  const content = operation.requestBody && resolve(root, operation.requestBody).content;
  if (!content) return null;
  const kinds = Object.keys(content);
  const schema = content[kinds[0]].schema;
  const options = [schema, ...(schema.anyOf ?? [])].map((one) => resolve(root, one));
  const example = content[kinds[0]].example ?? options.map((one) => one.examples?.[0]).find((found) => found !== undefined) ?? {};
  return [
    h("label", { class: "field" }, h("span", {}, "Body"), h("textarea", { name: "body", spellcheck: false, value: JSON.stringify(example, null, 2) })),
    choice("Content-Type", "kind", kinds),
  ];
}

function accepts(root, operation) {
  const good = Object.entries(operation.responses).filter(([status]) => status.startsWith("2"));
  const kinds = [...new Set(good.flatMap(([, response]) => Object.keys(resolve(root, response).content ?? {})))];
  return kinds.length > 1 ? choice("Accept", "accept", kinds) : null;
}

const choice = (label, name, kinds) => h("label", { class: "field" }, h("span", {}, label), h("select", { name }, kinds.map((kind) => h("option", { value: kind }, kind))));

async function ask(request, place, signal) {
  place.replaceChildren(h("p", { class: "soft" }, "Waiting for the answer…"));
  const started = performance.now();
  try {
    const answer = await fetch(request.url, { ...request, signal, credentials: asksForCookie(request) ? "same-origin" : identity.credentials(), cache: "no-store" });
    const first = performance.now() - started;
    const text = h("pre", { tabIndex: 0, "aria-label": "The body of the answer" });
    const size = h("span", { class: "soft" });
    place.replaceChildren(
      h("p", {}, h("span", { class: `status ${answer.ok ? "good" : "bad"}` }, `${answer.status} ${answer.statusText}`), " ", h("span", { class: "soft" }, `in ${first.toFixed(first < 10 ? 1 : 0)} ms `), size),
      h("details", { open: true }, h("summary", {}, "Headers"), h("dl", { class: "pairs" }, [...answer.headers].map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]))),
      ...(answer.ok && asksForCookie(request) ? [h("p", {}, "The session is in a cookie of this browser now: choose “Session cookie of this site” at the top right to use it.")] : []),
      text);
    await read(answer, text, size);
  } catch (error) {
    const told = error.name === "AbortError" ? "Stopped." : `No answer: ${error.message}`;
    if (error.name === "AbortError" && place.querySelector("pre")) place.append(h("p", { class: "soft" }, told));
    else place.replaceChildren(h("p", { class: "status bad" }, told));
  }
}

/** The most characters that are shown of an answer. */
const SHOWN = 500_000;

async function read(answer, place, size) {
  const reader = answer.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  while (reader) {
    const { done, value } = await reader.read();
    if (done) break;
    bytes += value.length;
    if (text.length < SHOWN) text += decoder.decode(value, { stream: true });
    size.textContent = `${bytes.toLocaleString("en")} bytes`;
    if (!answer.headers.get("content-type")?.includes("json")) place.textContent = text;
  }
  if (bytes === 0) { place.replaceWith(h("p", { class: "soft" }, "No body.")); return; }
  if (text.length >= SHOWN) text = `${text.slice(0, SHOWN)}\n…`;
  place.replaceChildren(...coloured(text));
}

/** JSON, indented and coloured; any other text as it is. */
function coloured(text) {
  let pretty;
  try { pretty = JSON.stringify(JSON.parse(text), null, 2); } catch { return [text]; }
  // Numbers beyond 2^53 would be rounded by the reading: then the text is shown as it came.
  if (/[:[,\s]-?\d{16,}/.test(text)) pretty = text;
  if (pretty.length > 100_000) return [pretty];
  const parts = [];
  const tokens = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
  let last = 0;
  for (const found of pretty.matchAll(tokens)) {
    parts.push(pretty.slice(last, found.index));
    const kind = found[1] ? (found[2] ? "key" : "text") : found[3] ? "word" : "number";
    parts.push(h("span", { class: kind }, found[1] ?? found[0]), found[2] ?? "");
    last = found.index + found[0].length;
  }
  parts.push(pretty.slice(last));
  return parts;
}
