// The page that the mailed link opens. The secret is spent by POST when the form is sent, never by opening the link.

import { post } from "./api.js";
import { handle, swap } from "./forms.js";
import { who } from "./page.js";

const [first, second, broken] = ["#first", "#second", "#broken"].map((id) => document.querySelector(id));
const secret = location.hash.slice(1);
// Neither in the history nor for whoever looks over a shoulder.
history.replaceState(null, "", location.pathname);

handle(document.querySelector("#reset"), async (values) => {
  await post("/auth/password/reset", { secret, password: values.password });
  swap(first, second);
  await who();
});
if (!secret) swap(first, broken);
await who();
