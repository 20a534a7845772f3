// What somebody signs in with besides a password: an authenticator app, passkeys, accounts elsewhere.

import { get, post, remove } from "./api.js";
import { confirm, sure } from "./dialogs.js";
import { handle, reset, show, swap } from "./forms.js";
import { leave } from "./oauth.js";
import { announce, element, moment } from "./page.js";
import { add, possible } from "./passkeys.js";
import { settings } from "./settings.js";

const part = (id) => document.querySelector(id);
const [begin, finish, manage, passkey] = ["#totp-begin", "#totp-confirm", "#totp-manage", "#passkey"].map(part);
let totp = null;

/** Reads and shows all of them. */
export async function factors() {
  try {
    const { items } = await get("/auth/factors");
    app(items.find((item) => item.kind === "totp") ?? null, items.find((item) => item.kind === "recovery_codes")?.left ?? 0);
    passkeys(items.filter((item) => item.kind === "passkey"));
    await linked();
  } catch (problem) {
    announce(problem.message);
  }
}

// An authenticator app (TOTP, RFC 6238).

function app(found, left) {
  totp = found;
  begin.hidden = Boolean(totp);
  manage.hidden = !totp;
  finish.hidden = true;
  part("#totp-state").textContent = totp
    ? `On: after your password you type a code from your authenticator app. Recovery codes left: ${left}.`
    : "Off. With an authenticator app, a stolen password alone lets nobody in.";
}

handle(begin, async () => {
  const made = await sure(() => post("/auth/totp/enroll"));
  if (!made) return;
  part("#secret").textContent = made.secret.replace(/(.{4})(?=.)/g, "$1 ");
  Object.assign(part("#uri"), { href: made.uri, textContent: made.uri });
  reset(finish);
  swap(begin, finish);
});
handle(finish, async ({ code }) => {
  const answer = await sure(() => post("/auth/totp/confirm", { code: code.replaceAll(" ", "") }));
  if (!answer) return;
  await factors();
  recover(answer.recovery_codes);
});
part("#totp-back").addEventListener("click", () => swap(finish, begin));
handle(manage, async () => {
  const answer = await sure(() => post("/auth/recovery-codes"));
  if (answer) recover(answer.recovery_codes);
});
part("#totp-remove").addEventListener("click", async () => {
  const text = "Your password alone will let you in.";
  try {
    await away("Turn two-step sign-in off?", text, "Turn it off", `/auth/factors/${totp.id}`);
  } catch (problem) {
    show(manage, problem);
  }
});

function recover(codes) {
  part("#codes").replaceChildren(...codes.map((code) => element("li", {}, code)));
  manage.hidden = true;
  part("#recovery").hidden = false;
  part("#recovery h3").focus();
}
part("#codes-copy").addEventListener("click", async () => {
  const codes = [...part("#codes").children].map((item) => item.textContent);
  try {
    await navigator.clipboard.writeText(codes.join("\n"));
    announce("Copied.");
  } catch {
    announce("The browser does not let this page copy: select them by hand.");
  }
});
part("#codes-done").addEventListener("click", async () => {
  part("#codes").replaceChildren();
  part("#recovery").hidden = true;
  await factors();
  part("#totp-manage button").focus();
});

/** Takes a way in away, once somebody is sure. */
async function away(title, text, action, path) {
  const gone = await confirm(title, text, action, () => remove(path));
  if (gone) await factors();
  return gone;
}

// Passkeys.

function passkeys(items) {
  part("#passkeys").replaceChildren(...items.map((item) => element("li", {},
    element("div", { class: "what" },
      element("h3", {}, item.name || "A passkey"),
      item.created_at ? element("p", { class: "more" }, "Added ", moment(item.created_at)) : null),
    element("button", {
      type: "button",
      class: "small danger",
      "aria-label": `Remove the passkey ${item.name}`,
      onclick: () => away("Remove this passkey?", item.name || "A passkey", "Remove", `/auth/factors/${item.id}`),
    }, "Remove"))));
}

handle(passkey, async ({ name }) => {
  const made = await sure(() => add(name));
  if (!made) return undefined;
  reset(passkey);
  await factors();
  return "Added.";
});
part("#passkeys-title").closest("section").hidden = !settings.passkeys || !possible();

// Accounts with other providers.

/** The providers that the pages offer, and those that the account is linked with besides. */
async function linked() {
  const { items } = await get("/auth/oauth");
  const title = (id) => settings.providers.find(({ name }) => name === id)?.title ?? id;
  const open = settings.providers.filter(({ name }) => !items.some(({ id }) => id === name));
  part("#links-card").hidden = items.length + open.length === 0;
  part("#links").replaceChildren(
    ...items.map(({ id, created_at: since }) => element("li", {},
      element("div", { class: "what" },
        element("h3", {}, title(id)),
        element("p", { class: "more" }, "Linked ", moment(since))),
      element("button", {
        type: "button",
        class: "small danger",
        "aria-label": `Unlink ${title(id)}`,
        onclick: () => away(`Unlink ${title(id)}?`, "It signs you in no more.", "Unlink", `/auth/oauth/${encodeURIComponent(id)}/link`),
      }, "Unlink"))),
    ...open.map(({ name, title: shown }) => element("li", {},
      element("div", { class: "what" },
        element("h3", {}, shown),
        element("p", { class: "more" }, "Not linked")),
      element("button", {
        type: "button",
        class: "small",
        "aria-label": `Link ${shown}`,
        onclick: () => leave(name, "link", "/profile"),
      }, "Link"))));
}
