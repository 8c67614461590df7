// Sends what a form would to the API instead, and says what became of it without leaving the page.
"use strict";

const root = document.body.dataset.root;
const outcome = document.querySelector("#outcome p");
const underWay = new Set();
let hiding = 0;

function show(sentence, tone) {
  clearTimeout(hiding);
  outcome.textContent = sentence;
  outcome.dataset.tone = tone;
  outcome.hidden = false;
  hiding = setTimeout(() => (outcome.hidden = true), 20000);
}

async function done(form, button) {
  const { form_token: proof, ...said } = Object.fromEntries(new FormData(form, button));
  const action = button.hasAttribute("formaction") ? button.formAction : form.action;
  const where = `${root}api/v1/${new URL(action).pathname.slice(root.length)}`;
  const headers = { "Content-Type": "application/json", "X-Form-Token": proof };
  try {
    const answer = await fetch(where, { method: "POST", headers, body: JSON.stringify(said) });
    const { sentence, error } = await answer.json();
    show(sentence ?? error, answer.ok ? "good" : "bad");
    if (answer.ok && !document.body.dataset.events) await redraw();
  } catch {
    show(document.body.dataset.failed, "bad");
  }
}

// A page that is told nothing by a stream is loaded again, and keeps its place.
async function redraw() {
  const fresh = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
  const main = document.querySelector("main");
  main.replaceChildren(...fresh.querySelector("main").childNodes);
  main.focus({ preventScroll: true }); // the button that had the focus is gone
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!("deed" in form.dataset) || !event.submitter) return;
  event.preventDefault();
  if (underWay.has(event.submitter)) return;
  underWay.add(event.submitter);
  event.submitter.setAttribute("aria-busy", "true");
  await done(form, event.submitter);
  event.submitter.removeAttribute("aria-busy");
  underWay.delete(event.submitter);
});

outcome.addEventListener("click", () => (outcome.hidden = true));
