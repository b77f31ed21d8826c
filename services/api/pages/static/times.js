// Keeps relative times true. The same rule as `relative` in words.py.
"use strict";

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

function relativeWords(moment, now) {
  const seconds = (now - moment) / 1000;
  const size = Math.abs(seconds);
  if (size < 5) return "now";
  const [unit, word] = UNITS.find(([length]) => size >= length);
  const words = `${Math.floor(size / unit)} ${word}`;
  return seconds > 0 ? `${words} ago` : `in ${words}`;
}

function tick() {
  const now = Date.now();
  for (const time of document.querySelectorAll("time[data-relative]")) {
    const words = relativeWords(Date.parse(time.dateTime), now);
    if (time.textContent !== words) time.textContent = words;
  }
}

tick();
setInterval(tick, 1000);
