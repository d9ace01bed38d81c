// Times in the reader's zone: <time datetime data-time="relative|clock|day|date|moment"> gets its words here. The zone is the one of their
// preferences, in which the server writes as well, or else the browser's. The title stays as the server wrote it: in UTC.
// An element with data-zone gets the name of that zone, and a field so called it as its value; an SVG with data-from and data-until gets the
// days in that zone, as services/web/rota.py writes them.
const DAY = 86_400;
const timeZone = known(document.documentElement.dataset.timeZone);
const format = (parts) => new Intl.DateTimeFormat(undefined, { timeZone, ...parts });
const clock = format({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const day = format({ weekday: "long", day: "numeric", month: "long" });
const date = format({ day: "numeric", month: "short", year: "numeric" });
const moment = format({ weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

// A browser may know fewer zones than the server.
function known(zone) {
  try {
    return new Intl.DateTimeFormat(undefined, { timeZone: zone }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}

function relative(then, now) {
  const seconds = Math.round((now - then) / 1000);
  const ahead = seconds < 0;
  const size = Math.abs(seconds);
  if (size < 45) return ahead ? "in a moment" : "just now";
  if (size >= 30 * DAY) return date.format(then);
  let words;
  if (size < 3570) words = `${Math.max(1, Math.round(size / 60))} min`;
  else if (size < DAY) words = `${Math.round(size / 3600)} h`;
  else words = `${Math.round(size / DAY)} d`;
  return ahead ? `in ${words}` : `${words} ago`;
}

const words = {
  relative: (then) => relative(then, Date.now()),
  clock: (then) => clock.format(then),
  day: (then) => (date.format(new Date()) === date.format(then) ? "Today" : day.format(then)),
  date: (then) => date.format(then),
  moment: (then) => moment.format(then),
};

function update() {
  for (const element of document.querySelectorAll("time[data-time]")) {
    const then = new Date(element.dateTime);
    if (Number.isNaN(then.getTime())) continue;
    const text = words[element.dataset.time]?.(then);
    if (text && element.textContent !== text) element.textContent = text;
  }
}

const QUARTER = 900_000; // Every zone's days begin at one of these.
const axisDay = new Intl.DateTimeFormat("en-GB", { timeZone, weekday: "short", day: "numeric" });

function axis(svg) {
  const from = Date.parse(svg.dataset.from);
  const until = Date.parse(svg.dataset.until);
  const days = [];
  for (let at = Math.ceil(from / QUARTER) * QUARTER; at < until; at += QUARTER) {
    if (date.format(at) !== date.format(at - QUARTER)) days.push(at);
  }
  const marks = days.filter((_, number) => number % 2 === 0).map((at) => {
    const mark = document.createElementNS(svg.namespaceURI, "text");
    mark.setAttribute("x", `${(100 * (at - from)) / (until - from)}%`);
    mark.setAttribute("y", "10");
    mark.textContent = axisDay.format(at);
    return mark;
  });
  svg.replaceChildren(...marks);
}

for (const element of document.querySelectorAll("[data-zone]")) {
  const name = clock.resolvedOptions().timeZone;
  if (element instanceof HTMLInputElement) element.value = name;
  else element.textContent = name;
}
document.querySelectorAll("svg[data-from]").forEach(axis);
update();
setInterval(update, 30_000);
// A fragment that was fetched again carries the server's words: put ours back before it is painted.
new MutationObserver(update).observe(document.body, { childList: true, subtree: true, characterData: true });
