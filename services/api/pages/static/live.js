// Keeps the status page true without a reload: the server says that something changed, and this fetches what.
"use strict";

const RELOAD_MS = 30_000;
const WORDS = { on: "Live", waiting: "Reconnecting…", stale: "Our database does not answer", off: "Updates every 30 s" };
const place = document.getElementById("live");
const badge = document.getElementById("stream");
let source;
let fetching = false;
let again = false;

function show(state) {
  badge.dataset.state = state;
  document.getElementById("stream-word").textContent = WORDS[state];
}

function shown() {
  return place.firstElementChild;
}

async function refresh() {
  if (fetching) {
    again = true;
    return;
  }
  fetching = true;
  try {
    const answer = await fetch("/fragments/status", { headers: { Accept: "text/vnd.fragment, */*" } });
    if (answer.status === 401 || answer.status === 403) {
      location.reload();
    } else if (answer.ok) {
      put(await answer.text());
    }
  } catch {
    show("waiting");
  } finally {
    fetching = false;
    if (again) {
      again = false;
      refresh();
    }
  }
}

function put(html) {
  const before = shown().dataset.summary;
  const focused = place.contains(document.activeElement) ? document.activeElement.id : "";
  place.innerHTML = html;
  tick();
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  const after = shown().dataset.summary;
  if (after !== before) document.getElementById("announcement").textContent = after;
}

function listen() {
  source = new EventSource("/events");
  source.addEventListener("open", () => show("on"));
  source.addEventListener("changed", (event) => {
    show("on");
    if (event.data !== shown().dataset.version) refresh();
  });
  source.addEventListener("stale", () => show("stale"));
  // The browser connects again by itself, unless the answer was an error.
  source.addEventListener("error", () => show(source.readyState === EventSource.CLOSED ? "off" : "waiting"));
}

listen();
setInterval(() => {
  if (source.readyState === EventSource.OPEN) return;
  if (source.readyState === EventSource.CLOSED) listen();
  refresh();
}, RELOAD_MS);
addEventListener("pagehide", () => source.close());
addEventListener("pageshow", (event) => {
  if (event.persisted) listen();
});
