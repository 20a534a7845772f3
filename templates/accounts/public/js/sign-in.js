// The ways in: a password, with a second step where one is asked for, a passkey, another provider.

import { post } from "./api.js";
import { handle, reset, show, swap } from "./forms.js";
import { back, leave } from "./oauth.js";
import { element, go, next, who } from "./page.js";
import { possible, signIn } from "./passkeys.js";
import { settings } from "./settings.js";

const [first, second] = ["#first", "#second"].map((id) => document.querySelector(id));
const [password, factor, others] = ["#sign-in", "#factor", "#others"].map((id) => document.querySelector(id));
const query = new URLSearchParams(location.search);

const ASKED = {
  totp: "Type the code that your authenticator app shows, or one of your recovery codes.",
  email_code: "Type the code that we have just mailed to you.",
};

let token = null;
let then = next();

/** Every way in ends here: signed in, or one step more. */
function proceed(answer) {
  if (!answer.mfa_token) return go(then);
  token = answer.mfa_token;
  const asked = answer.factors.map((name) => ASKED[name]).filter(Boolean);
  document.querySelector("#asked").textContent = asked.join(" Or: ") || "Type your code.";
  reset(factor);
  swap(first, second);
}

handle(password, async (values) => proceed(await post("/auth/sign-in", values)));
handle(factor, async (values) => {
  try {
    proceed(await post("/auth/mfa/verify", { mfa_token: token, code: values.code.replaceAll(" ", "") }));
  } catch (problem) {
    factor.elements.code.select();
    throw problem;
  }
});
document.querySelector("#back").addEventListener("click", () => {
  reset(password);
  swap(second, first);
});

/** A button of its own for a way in. */
function way(title, work) {
  const button = element("button", {
    type: "button",
    onclick: async () => {
      try {
        await work();
      } catch (problem) {
        show(others, problem);
      }
    },
  }, title);
  document.querySelector("#ways").append(button);
  others.hidden = false;
}
if (settings.passkeys && possible()) way("Sign in with a passkey", async () => proceed(await signIn()));
for (const { name, title } of settings.providers) way(`Sign in with ${title}`, () => leave(name, "sign-in", then));

const notice = query.has("ended") ? "Your session has ended. Sign in again." : null;
if (notice) {
  document.querySelector("#notice").textContent = notice;
  document.querySelector("#notice").hidden = false;
}

const again = query.has("again");
const user = await who();
try {
  const came = await back();
  if (came?.next) then = came.next;
  if (came?.purpose === "link") go("/profile");
  else if (came) proceed(came.answer);
  else if (user && !again) go(then);
} catch (problem) {
  show(password, problem);
}
if (again) then = "/profile";
