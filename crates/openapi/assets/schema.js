// Shows schemas of the document: what members there are, of which type, within which limits.

/** Makes an element. Text is always text: nothing of the document is read as HTML. */
export function h(name, properties, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class") element.className = value;
    else if (key in element && key !== "list") element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Words with `code`. */
export const inline = (line) => (line ?? "").split(/(`[^`]+`)/).map((part) => (part.startsWith("`") && part.length > 2 ? h("code", {}, part.slice(1, -1)) : part));

/** Words with `code`, paragraphs and lists, as descriptions have them. */
export function prose(text, className) {
  const blocks = [];
  for (const block of (text ?? "").split(/\n{2,}/)) {
    const lines = block.split("\n");
    if (lines.every((line) => line.startsWith("- "))) blocks.push(h("ul", {}, lines.map((line) => h("li", {}, inline(line.slice(2))))));
    else blocks.push(h("p", { class: className }, inline(lines.join(" "))));
  }
  return blocks;
}

/** Follows a reference into the components. */
export function resolve(root, thing) {
  let at = thing;
  for (let steps = 0; at && at.$ref && steps < 10; steps += 1) {
    const found = at.$ref.slice(2).split("/").reduce((here, key) => here?.[key.replaceAll("~1", "/").replaceAll("~0", "~")], root);
    const { $ref, ...beside } = at;
    at = found === undefined ? {} : { ...found, ...beside };
  }
  return at ?? {};
}

/** The name of the type that a reference leads to. */
export const nameOf = (schema) => schema?.$ref?.split("/").pop();

/** A type in a few words. */
export function typeOf(root, schema) {
  if (schema === true || !schema) return "any";
  const name = nameOf(schema);
  if (name) return name;
  if (schema.title) return schema.title;
  if (schema.anyOf && !schema.type && !isObject(schema)) return [...new Set(schema.anyOf.map((one) => typeOf(root, one)))].join(" or ");
  const types = [schema.type ?? []].flat();
  if (types.includes("array")) return `list of ${typeOf(root, schema.items)}` + (types.includes("null") ? " or null" : "");
  if (types.length === 0) return schema.enum ? "one of" : "any";
  const main = types.filter((type) => type !== "null").map((type) => schema.format && type === "string" ? schema.format : type);
  return [...main, ...(types.includes("null") ? ["null"] : [])].join(" or ");
}

/** Limits in words. */
export function limitsOf(schema) {
  const huge = (limit) => Math.abs(limit) >= 2 ** 53;
  const words = [];
  const add = (key, say) => schema[key] !== undefined && !(typeof schema[key] === "number" && huge(schema[key])) && words.push(say(schema[key]));
  add("minLength", (n) => `at least ${n} characters`);
  add("maxLength", (n) => `at most ${n} characters`);
  add("minimum", (n) => `from ${n}`);
  add("maximum", (n) => `to ${n}`);
  add("x-minimum", (n) => `from ${n}`);
  add("x-maximum", (n) => `to ${n}`);
  add("maxItems", (n) => `at most ${n} items`);
  if (schema.default !== undefined) words.push(`default ${JSON.stringify(schema.default)}`);
  const pattern = schema["x-pattern"] ?? (schema.format || schema.pattern?.includes("\\u0000") ? undefined : schema.pattern);
  if (pattern) words.push(`matches ${pattern}`);
  return words.join(", ");
}

const isObject = (schema) => schema.properties !== undefined;

/** What all of some schemas say together: members that several speak of are one. */
function together(root, schema) {
  if (!schema.allOf) return schema;
  const { allOf, ...beside } = schema;
  return allOf.map((one) => together(root, resolve(root, one))).reduce((all, one) => {
    const properties = { ...all.properties };
    for (const [key, member] of Object.entries(one.properties ?? {})) properties[key] = { ...properties[key], ...member };
    return { ...all, ...one, properties, required: [...(all.required ?? []), ...(one.required ?? [])] };
  }, beside);
}

/** The members of an object, or what a list holds; types that are seen already are links only. */
export function show(root, schema, seen = []) {
  const name = nameOf(schema);
  if (name && seen.includes(name)) return h("p", {}, h("a", { href: `#/type/${name}` }, name));
  const full = together(root, resolve(root, schema));
  const known = name ? [...seen, name] : seen;
  if (full.anyOf && !isObject(full)) {
    return full.anyOf.map((one) => {
      const inner = resolve(root, one);
      const title = h("span", { class: "type" }, typeOf(root, one));
      if (!isObject(inner) && !inner.items) return h("p", {}, title, " ", h("span", { class: "soft small" }, limitsOf(inner)));
      return h("details", { class: "block", open: full.anyOf[0] === one && known.length === 0 }, h("summary", {}, title), show(root, one, known));
    });
  }
  if (full.items) return [h("p", { class: "soft small" }, "A list", limitsOf(full) ? `: ${limitsOf(full)}` : "", ". Each item:"), show(root, full.items, known)];
  if (!isObject(full)) return h("p", {}, h("span", { class: "type" }, typeOf(root, full)), " ", h("span", { class: "soft small" }, limitsOf(full)));
  const required = full.required ?? [];
  return [
    prose(full.description, "soft small"),
    h("ul", { class: "members" }, Object.entries(full.properties).filter(([, member]) => member.type !== "null").map(([key, member]) => memberOf(root, key, member, required.includes(key), known))),
  ];
}

function memberOf(root, key, schema, required, seen) {
  const full = resolve(root, schema);
  const values = (full.enum ?? full.items?.enum ?? []).filter((value) => value !== null);
  const inner = [full, ...(full.anyOf ?? [])].map((one) => resolve(root, one)).find(isObject);
  const name = nameOf(schema) ?? (full.anyOf ?? []).map(nameOf).find(Boolean) ?? nameOf(full.items);
  return h("li", {},
    h("div", { class: "head" },
      h("strong", {}, key),
      name ? h("a", { class: "type", href: `#/type/${name}` }, typeOf(root, schema)) : h("span", { class: "type" }, typeOf(root, schema)),
      required && h("span", { class: "must" }, "required"),
      full.readOnly && h("span", { class: "soft small" }, "read-only"),
      h("span", { class: "soft small" }, limitsOf(full))),
    values.length > 0 && h("div", { class: "small" }, values.slice(0, 30).map((value, index) => [index ? " " : "", h("code", {}, String(value))]), values.length > 30 ? " …" : ""),
    prose(full.description, "small").filter((block) => block.textContent),
    inner && !name && seen.length < 4 && h("details", {}, h("summary", { class: "small" }, "members"), show(root, inner, [...seen, key])));
}
