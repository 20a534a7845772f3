// A link to set a new password. The answer is the same whether there is an account or not.

import { post } from "./api.js";
import { handle, swap } from "./forms.js";
import { who } from "./page.js";

handle(document.querySelector("#forgot"), async (values) => {
  await post("/auth/password/forgot", values);
  swap(document.querySelector("#first"), document.querySelector("#second"));
});
await who();
