// Keeps the page as the server has it.  The server escapes; this file only puts finished pieces in their places, and
// keeps what is the reader's: focus, scrolling, and which details are open.
"use strict";

const said = document.body.dataset;
const events = said.events ?? "events";
let version = said.version;
let ahead = Date.now() - Number(said.now) * 1000; // of the server's clock
let stream = null;
let again = 0;
let losing = 0;

// Words.

const relative = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
const units = [
  ["minute", 60, 3570],
  ["hour", 3600, 84600],
  ["day", 86400, 29.5 * 86400],
  ["month", 30.44 * 86400, 345 * 86400],
  ["year", 365.25 * 86400, Infinity],
];

function ago(seconds) {
  if (seconds < 45) return said.justNow;
  const [unit, length] = units.find(([, , below]) => seconds < below);
  return relative.format(-Math.max(1, Math.floor(seconds / length + 0.5)), unit);
}

function wordTimes(root) {
  const now = Date.now() - ahead;
  for (const time of root.querySelectorAll("time")) {
    const at = Date.parse(time.dateTime);
    const text = ago((now - at) / 1000);
    if (time.textContent !== text) time.textContent = text;
    const title = new Date(at).toLocaleString();
    if (time.title !== title) time.title = title;
  }
}

// Pieces.

function made(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content.firstElementChild;
}

// Bring an element to the shape of another, touching only what differs.
function morph(old, fresh) {
  if (old.nodeName !== fresh.nodeName || (old.nodeType === Node.ELEMENT_NODE && old.id !== fresh.id)) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name, value } of [...fresh.attributes]) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    const readers = name === "open" || (name === "title" && old.nodeName === "TIME");
    if (!readers && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  const before = [...old.childNodes];
  const after = [...fresh.childNodes];
  after.forEach((child, at) => (at < before.length ? morph(before[at], child) : old.append(child)));
  before.slice(after.length).forEach((child) => child.remove());
}

function piece(element) {
  while (element && !("piece" in element.dataset)) element = element.nextElementSibling;
  return element;
}

// Have a list hold exactly these pieces in this order; a new one comes from the patch.
function arrange(list, names, pieces) {
  const wanted = new Set(names);
  for (const child of [...list.children]) {
    if ("piece" in child.dataset && !wanted.has(child.id)) child.remove();
  }
  let next = piece(list.firstElementChild);
  for (const name of names) {
    let element = document.getElementById(name);
    if (!element) {
      element = made(pieces[name]);
      delete pieces[name];
    }
    if (element === next) next = piece(next.nextElementSibling);
    else list.insertBefore(element, next);
  }
}

function apply(patch) {
  if (patch.build !== said.build) {
    location.reload(); // the service was upgraded: its pieces may need another style and script
    return;
  }
  version = patch.version;
  ahead = Date.now() - patch.now * 1000;
  const focused = document.activeElement;
  for (const [name, names] of patch.lists) arrange(document.getElementById(name), names, patch.pieces);
  for (const [name, html] of Object.entries(patch.pieces)) {
    const element = document.getElementById(name);
    if (!element || "shell" in element.dataset) continue;
    const before = element.textContent;
    morph(element, made(html));
    wordTimes(element);
    if (element.textContent !== before) light(element);
  }
  wordTimes(document.body);
  if (focused.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
  announce();
}

function light(element) {
  element.classList.add("fresh");
  element.addEventListener("animationend", () => element.classList.remove("fresh"), { once: true });
}

// Read out the headline, but only once it has come to rest: during an update of a class it counts up fast.
let resting = 0;
let heard = document.getElementById("headline").textContent;

function announce() {
  clearTimeout(resting);
  resting = setTimeout(() => {
    const headline = document.getElementById("headline").textContent;
    if (headline === heard) return;
    heard = headline;
    document.getElementById("announcement").textContent = headline;
  }, 2000);
}

// The stream.

function tell(state) {
  const connection = document.getElementById("connection");
  connection.hidden = false;
  connection.dataset.state = state;
  connection.textContent = said[state];
}

function follow() {
  clearTimeout(again);
  stream?.close();
  stream = new EventSource(`${events}?since=${encodeURIComponent(version)}`);
  stream.addEventListener("open", () => {
    clearTimeout(losing);
    tell("live");
  });
  stream.addEventListener("patch", (event) => apply(JSON.parse(event.data)));
  // Where a proxy keeps the stream back until it ends, this comes too late, and the service ends it soon.
  stream.addEventListener("hello", (event) => fetch(`${events}?heard=${encodeURIComponent(event.data)}`));
  stream.addEventListener("error", () => {
    clearTimeout(losing);
    losing = setTimeout(() => tell("lost"), 3500);
    if (stream.readyState === EventSource.CLOSED) again = setTimeout(follow, 3000);
  });
}

// A page that nobody sees asks for nothing; when it is seen again it is told all that it missed.
function attend() {
  if (document.visibilityState === "visible") {
    follow();
  } else {
    clearTimeout(again);
    stream?.close();
  }
}

tell("connecting");
wordTimes(document.body);
setInterval(() => wordTimes(document.body), 20000);
document.addEventListener("visibilitychange", attend);
attend();
