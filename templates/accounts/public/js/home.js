// The notes of whoever is signed in.

import { get, post, remove } from "./api.js";
import { confirm } from "./dialogs.js";
import { handle, reset } from "./forms.js";
import { announce, element, ended, moment, who } from "./page.js";

const list = document.querySelector("#notes");
const more = document.querySelector("#more");
let cursor = null;

function shown(note) {
  const item = element("li", {},
    element("div", { class: "what" },
      element("h2", {}, note.title),
      note.body ? element("p", { class: "text" }, note.body) : null,
      element("p", { class: "more" }, moment(note.created_at))),
    element("button", {
      type: "button",
      class: "small",
      "aria-label": `Delete the note ${note.title}`,
      onclick: async () => {
        const gone = await confirm("Delete this note?", note.title, "Delete", () => remove(`/api/notes/${note.id}`));
        if (!gone) return;
        item.remove();
        count();
        announce("The note is gone.");
      },
    }, "Delete"));
  return item;
}

function count() {
  document.querySelector("#none").hidden = list.children.length > 0;
}

async function read() {
  try {
    const query = new URLSearchParams({ sort: "-created_at", limit: "20", ...(cursor ? { cursor } : {}) });
    const page = await get(`/api/notes?${query}`);
    list.append(...page.items.map(shown));
    cursor = page.next;
    more.hidden = !cursor;
    count();
  } catch (problem) {
    if (!ended(problem)) announce(problem.message);
  }
}

const form = document.querySelector("#note");
handle(form, async (values) => {
  const note = await post("/api/notes", values);
  list.prepend(shown(note));
  count();
  reset(form);
  form.elements.title.focus();
  return "Kept.";
});
more.addEventListener("click", read);
if (await who()) await read();
