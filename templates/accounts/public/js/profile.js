// One's own account: name, address, password, and how to go. What one signs in with besides is in factors.js.

import { patch, post, remove } from "./api.js";
import { confirm, sure } from "./dialogs.js";
import { factors } from "./factors.js";
import { handle, reset, swap } from "./forms.js";
import { element, go, somebody } from "./page.js";

const part = (id) => document.querySelector(id);
let user = await somebody();

function shown() {
  part("#you").elements.name.value = user.name;
  part("#address").textContent = user.email ?? "none";
  const badge = part("#verified");
  badge.textContent = user.email_verified ? "confirmed" : "not confirmed";
  badge.classList.toggle("bad", !user.email_verified);
  part("#prove").hidden = user.email_verified;
}

handle(part("#you"), async (values) => {
  user = await patch("/auth/me", values);
  shown();
  return "Saved.";
});

// An address is confirmed, and changed, by the code that is mailed to it: never by a link alone.
const [move, prove, code] = ["#move", "#prove", "#mail-code"].map(part);
let ticket = null;
let call = null;

function wait(path, address, answer, from) {
  // Not now: somebody would rather not prove who it is.
  if (!answer) return;
  ({ ticket } = answer);
  call = path;
  part("#sent-to").textContent = address;
  reset(code);
  swap(from, code);
}

handle(move, async ({ email }) => {
  wait("/auth/email/change", email, await sure(() => post("/auth/email/change", { email })), move);
});
handle(prove, async () => wait("/auth/email/verify", user.email, await post("/auth/email/verify"), prove));
handle(code, async (values) => {
  const answer = await post(call, { ticket, code: values.code });
  user = answer.user;
  shown();
  reset(move);
  swap(code, move);
});
part("#mail-back").addEventListener("click", () => {
  swap(code, move);
  shown();
});

handle(part("#password"), async (values) => {
  await post("/auth/password/change", values);
  reset(part("#password"));
  return "Changed. Your other sessions have ended.";
});

part("#delete").addEventListener("click", async () => {
  const text = "Your account and all of your notes go at once.";
  const gone = await confirm("Delete your account?", text, "Delete it", () => remove("/auth/me"));
  if (gone) {
    document.querySelector("main").replaceChildren(element("h1", {}, "Your account is gone."));
    setTimeout(() => go("/"), 1500);
  }
});

shown();
await factors();
