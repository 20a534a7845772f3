// Where somebody is signed in.

import { get, post, remove } from "./api.js";
import { confirm } from "./dialogs.js";
import { announce, element, ended, go, moment, somebody } from "./page.js";

const list = document.querySelector("#sessions");
const all = document.querySelector("#all");

/** Browser and system in words, from what the browser says of itself. */
function device(agent) {
  const find = (words) => words.find(([pattern]) => pattern.test(agent))?.[1];
  const browser = find([[/Edg\//, "Edge"], [/OPR\//, "Opera"], [/Firefox\//, "Firefox"], [/Chrom(e|ium)\//, "Chrome"], [/Safari\//, "Safari"]]);
  const system = find([[/iPhone|iPad/, "iOS"], [/Android/, "Android"], [/Windows/, "Windows"], [/Mac OS X/, "macOS"], [/Linux/, "Linux"]]);
  if (browser && system) return `${browser} on ${system}`;
  return browser ?? system ?? (agent.slice(0, 60) || "An unknown device");
}

const WAYS = { pwd: "password", otp: "code", mfa: null, hwk: "passkey", swk: "passkey", user: null };
const way = (amr) => [...new Set(amr.map((word) => (word in WAYS ? WAYS[word] : word)).filter(Boolean))].join(" and ");

function shown(session) {
  const name = device(session.agent);
  const item = element("li", {},
    element("div", { class: "what" },
      element("h2", {}, name, " ", session.current ? element("span", { class: "badge" }, "this one") : null),
      element("p", { class: "more" }, `${session.address}, by ${way(session.amr) || "other means"}`),
      element("p", { class: "more" }, "Used ", moment(session.used_at), ", began ", moment(session.created_at))),
    session.current ? null : element("button", {
      type: "button",
      class: "small danger",
      "aria-label": `End the session of ${name}`,
      onclick: async () => {
        try {
          await remove(`/auth/sessions/${session.id}`);
        } catch (problem) {
          if (ended(problem)) return;
          if (problem.status !== 404) return announce(problem.message);
        }
        item.remove();
        announce("The session has ended.");
      },
    }, "End it"));
  return item;
}

all.addEventListener("click", async () => {
  const text = "Every session ends, this one too.";
  if (await confirm("Sign out everywhere?", text, "Sign out", () => post("/auth/sign-out", { all: true }))) go("/sign-in");
});

await somebody();
try {
  const { items } = await get("/auth/sessions");
  items.sort((one, other) => other.current - one.current);
  list.append(...items.map(shown));
  all.hidden = false;
} catch (problem) {
  if (!ended(problem)) announce(problem.message);
}
