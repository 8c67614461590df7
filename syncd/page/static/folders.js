// Keeps an open page as the publisher has it, sends its buttons without loading it anew, and copies links.  The server
// escapes: this file only puts finished parts in their places, and leaves the reader's focus where it is.
"use strict";

const said = document.body.dataset;
const by = (id) => document.getElementById(id);

// Parts.

function made(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content.firstElementChild;
}

function alike(one, other) {
  return one && one.nodeName === other.nodeName && (one.id ?? "") === (other.id ?? "");
}

// Make an element what a fresh one is by touching only what differs: what is focused stays, and keeps its focus.
function renew(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  const names = new Set([...old.attributes, ...fresh.attributes].map((attribute) => attribute.name));
  for (const name of names) {
    const value = fresh.getAttribute(name);
    if (name === "open") continue; // the reader's
    if (value === null) old.removeAttribute(name);
    else if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  let at = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    // What stood between went away: take it out, unless the fresh child is simply new.
    const match = alike(at, child) ? at : child.id ? [...old.children].find((one) => alike(one, child)) : null;
    if (!match) {
      old.insertBefore(child, at);
    } else {
      while (at !== match) {
        const gone = at;
        at = at.nextSibling;
        gone.remove();
      }
      at = match.nextSibling;
      renew(match, child);
    }
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

function apply({ order, pieces }) {
  const list = by("pieces");
  const focused = document.activeElement;
  const card = focused.closest?.("section[id]")?.id;
  const wanted = new Set(order);
  for (const child of [...list.children]) if (!wanted.has(child.id)) child.remove();
  order.forEach((id, at) => {
    const fresh = id in pieces ? made(pieces[id]) : null;
    const old = by(id);
    if (!old) {
      list.insertBefore(fresh, list.children[at] ?? null);
      return;
    }
    if (list.children[at] !== old) list.insertBefore(old, list.children[at] ?? null);
    if (fresh) {
      const before = old.querySelector("[data-say]")?.textContent;
      renew(old, fresh);
      const state = old.querySelector("[data-say]");
      if (state && state.textContent !== before) light(old);
    }
  });
  if (!focused.isConnected && card) {
    // The button did its work and went away: on to its part's title, or to what came of it.
    const next = by(`${card}-title`) ?? (by("said").hidden ? by("content") : by("said"));
    next.focus({ preventScroll: true });
  } else if (focused.isConnected && document.activeElement !== focused) {
    focused.focus({ preventScroll: true });
  }
  announce();
}

function light(element) {
  element.classList.add("fresh");
  element.addEventListener("animationend", () => element.classList.remove("fresh"), { once: true });
}

// Read out states that changed, once they have come to rest.

const states = () =>
  new Map([...document.querySelectorAll("[data-say]")].map((one) => [one.closest("section").id, one]));
const wording = (one) => (one.dataset.say ? `${one.dataset.say}: ${one.textContent}` : one.textContent);
const now = () => new Map([...states()].map(([id, one]) => [id, wording(one)]));
let seen = now();
const moved = new Set();
let resting = 0;

function announce() {
  const fresh = now();
  for (const [id, words] of fresh) if (seen.get(id) !== words) moved.add(id);
  seen = fresh;
  if (!moved.size) return;
  clearTimeout(resting);
  resting = setTimeout(() => {
    const news = [...moved].map((id) => seen.get(id)).filter(Boolean);
    moved.clear();
    by("announcement").textContent = ""; // the same words again are news as well
    setTimeout(() => (by("announcement").textContent = news.slice(0, 3).join(". ")), 50);
  }, 1000);
}

// The stream.  A page that nobody sees asks for nothing.

let stream = null;
let again = 0;

function tell(state) {
  const connection = by("connection");
  connection.hidden = false;
  connection.dataset.state = state;
  if (connection.textContent !== said[state]) connection.textContent = said[state];
}

function follow() {
  clearTimeout(again);
  stream?.close();
  if (!said.stream || document.visibilityState !== "visible") return;
  stream = new EventSource(said.stream);
  stream.addEventListener("open", () => tell("live"));
  stream.addEventListener("news", (event) => apply(JSON.parse(event.data)));
  stream.addEventListener("error", () => {
    tell("lost");
    if (stream.readyState === EventSource.CLOSED) again = setTimeout(follow, 3000);
  });
}

document.addEventListener("visibilitychange", follow);
follow();

// Buttons.

function say(sentence, failed = false) {
  const box = by("said");
  box.hidden = false;
  box.toggleAttribute("data-failed", failed);
  box.textContent = sentence;
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!("liveForm" in form.dataset)) return;
  event.preventDefault();
  const button = event.submitter;
  if (button?.getAttribute("aria-busy") === "true") return;
  button?.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      headers: { Accept: "application/json" },
    });
    if (answer.headers.get("Content-Type")?.startsWith("application/json")) {
      say((await answer.json()).sentence, !answer.ok);
      if (answer.ok && "clear" in form.dataset) form.reset();
    } else {
      say(new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("p").textContent, true);
    }
  } catch {
    say(said.failed, true);
  }
  button?.removeAttribute("aria-busy");
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  const field = by(button.dataset.copy);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    say(said.copied);
  } catch {
    say(said.notCopied, true);
  }
  button.focus({ preventScroll: true });
});

for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
if (!by("said").hidden) by("said").focus();
