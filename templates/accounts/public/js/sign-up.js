// A new account: it is made when the code comes that is mailed to its address.

import { post } from "./api.js";
import { handle, reset, swap } from "./forms.js";
import { go, next, who } from "./page.js";

const [first, second] = ["#first", "#second"].map((id) => document.querySelector(id));
const [signUp, code] = ["#sign-up", "#code-form"].map((id) => document.querySelector(id));

// An invitation: its secret is in the fragment, which the browser sends to nobody. It goes into the history of nobody.
const invite = location.hash.slice(1);
if (invite) {
  history.replaceState(null, "", location.pathname);
  document.querySelector("#invited").hidden = false;
  signUp.elements.email.closest(".field").hidden = true;
}

let ticket = null;
handle(signUp, async (values) => {
  const answer = await post("/auth/sign-up", invite ? { ...values, invite } : values);
  // With verify_email = false, and with an invitation, one is in at once.
  if (!answer.ticket) return go(next());
  ticket = answer.ticket;
  document.querySelector("#address").textContent = values.email;
  reset(code);
  swap(first, second);
});
handle(code, async (values) => {
  await post("/auth/email/verify", { ticket, code: values.code });
  go(next());
});
document.querySelector("#back").addEventListener("click", () => swap(second, first));

if (await who()) go(next());
