// Questions in between: is it you, and are you sure.

import { post } from "./api.js";
import { handle, show } from "./forms.js";
import { element } from "./page.js";
import { possible, proof } from "./passkeys.js";
import { settings } from "./settings.js";

let asked = 0;

/**
 * Asks with a dialog; true where the form was sent and its work ended well. Work that gives false leaves it open. `other` is
 * another way: what its button says, and the work.
 */
function ask(title, parts, action, work, { dangerous = false, other = null } = {}) {
  asked += 1;
  const id = `dialog-${asked}`;
  return new Promise((resolve) => {
    const form = element(
      "form",
      {},
      element("h2", { id }, title),
      ...parts,
      element("p", { class: "said", role: "alert" }),
      element("div", { class: "row" },
        element("button", { class: dangerous ? "danger" : "primary" }, action),
        other && element("button", { type: "button", onclick: () => attempt(other.work).catch((problem) => show(form, problem)) }, other.title),
        element("button", { type: "button", onclick: () => dialog.close() }, "Cancel")),
    );
    const dialog = element("dialog", { "aria-labelledby": id }, form);
    let done = false;
    document.body.append(dialog);
    const attempt = async (how, values) => {
      if ((await how(values)) === false) return;
      done = true;
      dialog.close();
    };
    handle(form, (values) => attempt(work, values));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(done);
    });
    dialog.showModal();
  });
}

/** Whether somebody is sure; the work is done while the dialog stands, so that its failure is shown there. */
export function confirm(title, text, action, work) {
  return ask(title, [element("p", {}, text)], action, () => sure(work), { dangerous: true });
}

/**
 * Does something that the server may want a fresh proof for. Then it is asked for, and the work is done again; false where
 * somebody would rather not.
 */
export async function sure(work) {
  try {
    return await work();
  } catch (problem) {
    if (problem.kind !== "reauthenticate") throw problem;
  }
  const field = element("div", { class: "field" },
    element("label", { for: "again" }, "Password"),
    element("input", { id: "again", name: "password", type: "password", autocomplete: "current-password", required: true }));
  const away = element("p", { class: "hint" }, "No password? ",
    element("a", { href: "/sign-in?again" }, "Sign in anew"), ", and come back.");
  const proved = await ask("Is it you?", [
    element("p", {}, "You signed in some time ago. Prove once more who you are."), field, away,
  ], "Go on", (values) => post("/auth/reauth", values), {
    other: settings.passkeys && possible() ? { title: "Use a passkey", work: async () => post("/auth/reauth", await proof()) } : null,
  });
  return proved ? work() : false;
}
