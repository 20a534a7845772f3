// Spends the secret of the link by POST when the form is sent, and says what came of it.
"use strict";
const form = document.querySelector("form");
const said = document.querySelector("[role=status]");
const secret = location.hash.slice(1);
// Neither in the history nor for whoever looks over a shoulder.
history.replaceState(null, "", location.pathname);
if (!secret) {
  form.hidden = true;
  said.textContent = "This link is not complete. Open it from the mail once more.";
}
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = { [form.dataset.secret]: secret };
  for (const input of form.querySelectorAll("input")) body[input.name] = input.value;
  said.textContent = "…";
  try {
    const reply = await fetch(form.dataset.call, {
      method: "POST",
      credentials: "omit",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    if (reply.ok) {
      form.hidden = true;
      said.textContent = form.dataset.done;
    } else {
      const problem = await reply.json();
      said.textContent = problem.detail || problem.title;
    }
  } catch {
    said.textContent = "The server could not be reached. Try again.";
  }
});
