// Times in the reader's zone: <time datetime data-time="relative|clock|day"> gets its words here; the server's are in UTC.
const DAY = 86_400;
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const date = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

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
  day: (then) => (new Date().toDateString() === then.toDateString() ? "Today" : day.format(then)),
};

function update() {
  for (const element of document.querySelectorAll("time[data-time]")) {
    const then = new Date(element.dateTime);
    if (Number.isNaN(then.getTime())) continue;
    const text = words[element.dataset.time]?.(then);
    if (text && element.textContent !== text) element.textContent = text;
    const title = whole.format(then);
    if (element.title !== title) element.title = title;
  }
}

update();
setInterval(update, 30_000);
// A fragment that was fetched again carries the server's words: put ours back before it is painted.
new MutationObserver(update).observe(document.body, { childList: true, subtree: true, characterData: true });
