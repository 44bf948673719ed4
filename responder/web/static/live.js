// Keeps the page current: server-sent events say that something changed, the page is fetched again and
// merged in place, so that open details, scroll, focus and selection stay. Everything works without it.
"use strict";

const main = document.getElementById("main");
const live = document.getElementById("live");
document.documentElement.classList.add("js");

/* merging */

// Make `old` like `fresh`. What the reader changed (open details, typed text) stays.
function merge(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.isEqualNode(fresh)) return;
  mergeAttributes(old, fresh);
  mergeChildren(old, fresh);
}

function mergeAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !keeps(old, name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !keeps(old, name)) old.setAttribute(name, value);
  }
}

function keeps(element, name) {
  return (name === "open" && element.tagName === "DETAILS") || name === "style" || (name === "value" && element.tagName === "INPUT");
}

function mergeChildren(old, fresh) {
  const byId = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  let place = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    let match = wanted.id ? byId.get(wanted.id) : place;
    if (match && (match.nodeName !== wanted.nodeName || (match.id || "") !== (wanted.id || ""))) match = null;
    if (match) {
      if (match === place) place = place.nextSibling;
      else old.insertBefore(match, place);
      merge(match, wanted);
    } else {
      const added = document.importNode(wanted, true);
      old.insertBefore(added, place);
      if (added.nodeType === Node.ELEMENT_NODE) prepare(added);
    }
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

/* what changed */

const order = () => [...main.querySelectorAll(".incidents > li")].map((line) => line.id).join(" ");
let arrivals = null;

// On the list, lines must not move under the pointer of a reader: changes of order wait for a click.
function show(fresh) {
  const list = main.hasAttribute("data-keep-order");
  const wanted = [...fresh.querySelectorAll(".incidents > li")];
  if (list && order() && order() !== wanted.map((line) => line.id).join(" ") && inUse()) {
    for (const line of wanted) {
      const known = document.getElementById(line.id);
      if (known) merge(known, line);
    }
    const fresh_ones = wanted.filter((line) => !document.getElementById(line.id)).length;
    announce(fresh_ones ? `${fresh_ones} new` : "Order changed", fresh);
    return;
  }
  settle(fresh);
}

function settle(fresh) {
  if (arrivals) arrivals.hidden = true;
  // what was reserved for a finding stays reserved, so that nothing below moves up
  for (const part of main.querySelectorAll(".running h1, .running .cause, .running .columns, .running .columns > section")) {
    part.style.minHeight = getComputedStyle(part).minHeight;
  }
  merge(main, fresh.getElementById("main"));
  document.title = fresh.title;
}

function announce(text, fresh) {
  if (!arrivals) {
    arrivals = document.createElement("button");
    arrivals.className = "arrivals";
    arrivals.type = "button";
    document.body.append(arrivals);
  }
  arrivals.textContent = `${text} · show`;
  arrivals.onclick = () => settle(fresh);
  arrivals.hidden = false;
}

function inUse() {
  return document.visibilityState === "visible" && (document.hasFocus() || main.matches(":hover"));
}

/* asking again: one request at a time, and one more if something came meanwhile */

let fetching = false;
let again = false;

async function refresh() {
  if (fetching) {
    again = true;
    return;
  }
  fetching = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (answer.ok) show(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    say("not connected");
  } finally {
    fetching = false;
    if (again) {
      again = false;
      setTimeout(refresh, 250);
    }
  }
}

/* listening: only while somebody looks, since browsers allow few connections to one server */

let source = null;
let soon = 0;
let missed = false;

function listen() {
  if (source || document.visibilityState === "hidden" || !main.dataset.events) return;
  source = new EventSource(main.dataset.events);
  source.addEventListener("incident", () => {
    clearTimeout(soon);
    soon = setTimeout(refresh, 150);
  });
  source.addEventListener("open", () => {
    say("live");
    if (missed) refresh();
    missed = true;
  });
  source.addEventListener("error", () => {
    say("not connected");
    if (source && source.readyState === EventSource.CLOSED) {
      source = null;
      setTimeout(listen, 5000);
    }
  });
}

function rest() {
  if (source) source.close();
  source = null;
}

function say(text) {
  live.textContent = text;
}

document.addEventListener("visibilitychange", () => (document.visibilityState === "hidden" ? rest() : listen()));
addEventListener("pagehide", rest);
addEventListener("pageshow", listen);

/* ages: as the server writes them */

function age(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 86400 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86400)} d`;
}

// how far the reader's clock is ahead of the server's
const ahead = Date.now() - Date.parse(main.dataset.now);

function tick() {
  for (const time of main.querySelectorAll("time[data-age]")) {
    const seconds = Math.floor((Date.now() - ahead - Date.parse(time.dateTime)) / 1000);
    const text = age(Math.abs(seconds));
    const wanted = seconds < 0 ? `in ${text}` : time.dataset.age === "brief" ? text : `${text} ago`;
    if (time.textContent !== wanted) time.textContent = wanted;
  }
}

/* copying */

async function copy(text) {
  if (navigator.clipboard && isSecureContext) return navigator.clipboard.writeText(text);
  // without https there is no clipboard API
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "hidden";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("not copied");
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await copy(button.previousElementSibling.textContent);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select it";
  }
  setTimeout(() => (button.textContent = "Copy"), 2000);
});

/* who I am, for the next time */

function prepare(root) {
  for (const field of root.querySelectorAll("[data-remember]")) {
    try {
      if (!field.value) field.value = localStorage.getItem(field.dataset.remember) ?? "";
    } catch {
      continue;
    }
  }
}

document.addEventListener("submit", (event) => {
  for (const field of event.target.querySelectorAll("[data-remember]")) {
    try {
      localStorage.setItem(field.dataset.remember, field.value);
    } catch {
      continue;
    }
  }
});

prepare(document);
listen();
setInterval(tick, 10000);
