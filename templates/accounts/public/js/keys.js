// API keys: made, shown once, listed with their last use, revoked.

import { get, post, remove } from "./api.js";
import { confirm, sure } from "./dialogs.js";
import { handle, reset } from "./forms.js";
import { announce, element, ended, moment, somebody } from "./page.js";

const part = (id) => document.querySelector(id);
const [form, made, list] = ["#new", "#made", "#keys"].map(part);
const DAY = 86_400_000;

/** What scopes allow, in the words of the form; others, which another program has asked for, as they are. */
function words(scopes) {
  const options = [...form.elements.scope.options];
  return options.find((option) => option.value === scopes.join(" "))?.textContent ?? scopes.join(", ");
}

function shown(key) {
  const over = key.expires_at && new Date(key.expires_at) <= new Date();
  return element("li", {},
    element("div", { class: "what" },
      element("h3", {}, key.name, " ", over ? element("span", { class: "badge bad" }, "ended") : null),
      element("p", { class: "more" }, `May ${words(key.scopes)}`),
      element("p", { class: "more" }, ...(key.used_at ? ["Last used ", moment(key.used_at)] : ["Never used"])),
      element("p", { class: "more" }, "Made ", moment(key.created_at),
        ...(key.expires_at ? [over ? ", ended " : ", ends ", moment(key.expires_at)] : []))),
    element("button", {
      type: "button",
      class: "small danger",
      "aria-label": `Revoke the key ${key.name}`,
      onclick: async () => {
        const text = `${key.name}: programs that use it are refused at once.`;
        const gone = await confirm("Revoke this key?", text, "Revoke", () => remove(`/auth/keys/${encodeURIComponent(key.id)}`));
        if (gone) await keys();
      },
    }, "Revoke"));
}

async function keys() {
  try {
    const { items } = await get("/auth/keys");
    list.replaceChildren(...items.map(shown));
    part("#none").hidden = items.length > 0;
  } catch (problem) {
    if (!ended(problem)) announce(problem.message);
  }
}

handle(form, async ({ name, scope, days }) => {
  const wanted = { name, scopes: scope.split(" ") };
  if (days) wanted.expires_at = new Date(Date.now() + days * DAY).toISOString();
  const key = await sure(() => post("/auth/keys", wanted));
  if (!key) return;
  part("#key").textContent = key.key;
  made.hidden = false;
  part("#made-title").focus();
  reset(form);
  await keys();
});

part("#key-copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(part("#key").textContent);
    announce("Copied.");
  } catch {
    announce("The browser does not let this page copy: select it by hand.");
  }
});
part("#key-done").addEventListener("click", () => {
  part("#key").textContent = "";
  made.hidden = true;
  form.elements.name.focus();
});

await somebody();
await keys();
