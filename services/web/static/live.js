// Live pages. One stream per page says *what* changed; the elements that show it fetch themselves again
// (hx-get, hx-trigger="timeline from:#live") and are morphed, so focus, scroll and half-typed text stay.
import { inFlight, release } from "./submit-once.js";

const EVENTS = ["incident", "timeline", "people", "resources", "channel", "deliveries", "question"];
const POLL_AFTER = 15_000; // without a stream, look again this often
const live = document.getElementById("live");
const words = document.getElementById("live-state");

let source = null;
let last = live?.dataset.after ?? "";
let failures = 0;
let retry = 0;
let poll = 0;

function finished() {
  return document.querySelector("[data-live-end]") !== null;
}

function say(text) {
  if (words && words.textContent !== text) words.textContent = text;
}

function stop() {
  source?.close();
  source = null;
  clearTimeout(retry);
  clearInterval(poll);
  poll = 0;
}

function lost() {
  const refused = source?.readyState === EventSource.CLOSED; // an answer, but no stream: its parts find out why
  stop();
  if (finished()) return;
  if (refused) live.dispatchEvent(new CustomEvent("poll"));
  failures += 1;
  const wait = Math.min(30_000, 500 * 2 ** failures) * (0.8 + Math.random() * 0.4);
  retry = setTimeout(start, wait);
  if (failures >= 3) {
    say("Live updates are interrupted. This page looks for changes every 15 seconds.");
    poll = setInterval(() => live.dispatchEvent(new CustomEvent("poll")), POLL_AFTER);
  }
}

function start() {
  stop();
  if (document.hidden || finished()) return;
  const url = new URL(live.dataset.stream, location.origin);
  if (last) url.searchParams.set("last_event_id", last);
  source = new EventSource(url);
  source.onopen = () => {
    failures = 0;
    say("");
  };
  source.onerror = lost;
  for (const name of EVENTS) {
    source.addEventListener(name, (event) => {
      if (event.lastEventId) last = event.lastEventId;
      live.dispatchEvent(new CustomEvent(name, { detail: { id: event.lastEventId } }));
    });
  }
}

if (live?.dataset.stream) {
  start();
  // A hidden tab gives its connection back: browsers allow six per host over HTTP/1.1.
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : start()));
  document.addEventListener("htmx:after:swap", () => finished() && stop());
}

// Whoever may not see a part of this page any more gets the page as it is for them now: signing in, or that there is none.
// Not reload(), which would send a form again where the page is the answer to one.
function again() {
  location.replace(location.pathname + location.search);
}

const doubtful = new WeakSet(); // forms whose fate is unknown: sent again under the same command_id, they count once

window.htmx?.registerExtension("muster", {
  // What the reader opened stays open, and a form on its way is not changed under the finger.
  htmx_before_morph_attr: (element, { attrName }) =>
    !(element.tagName === "DETAILS" && attrName === "open") &&
    !(element.matches(".menu[open] > .menu-panel") && attrName === "class") &&
    !(element.name === "command_id" && doubtful.has(element.form)),
  htmx_before_morph_node: (element) => !(element.tagName === "FORM" && inFlight(element)),
});

// Forms sent in place (hx-post): cleared when taken, kept with a sentence when not.
function note(form, text) {
  const place = form.querySelector("[data-form-note]");
  if (place) place.textContent = text;
}

function sentBy(ctx) {
  return ctx?.request?.method === "POST" ? ctx.request.form : null;
}

document.addEventListener("htmx:before:swap", (event) => {
  const { ctx, tasks } = event.detail;
  const form = sentBy(ctx);
  if (!form && ctx.response.raw.redirected) {
    event.preventDefault(); // to the page for signing in
    again();
    return;
  }
  if (form && ctx.response.status === 202) {
    // Passed on, not confirmed: the page stays, and sent again it is the same command.
    event.preventDefault();
    doubtful.add(form);
    release(form);
    note(form, "Passed on, but not confirmed yet. Your text is still here; sending it again does not send it twice.");
    return;
  }
  if (form && ctx.response.status < 500) {
    doubtful.delete(form);
    release(form);
  }
  const main = tasks.find((task) => task.type === "main");
  if (!main || main.fragment.childElementCount > 0) return;
  event.preventDefault(); // not the part we asked for, most likely the sign-in page: never blank what is shown
  if (form && ctx.response.raw.redirected) location.assign(ctx.response.raw.url);
});
document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
  const form = sentBy(ctx);
  // A form that the server only looked at is still being written.
  if (form && ctx.response?.status < 400 && !form.hasAttribute("data-looked-at")) {
    form.reset();
    note(form, "");
  }
});
for (const name of ["htmx:response:error", "htmx:error"]) {
  document.addEventListener(name, ({ detail: { ctx } }) => {
    const form = sentBy(ctx);
    if (!form && [401, 403, 404].includes(ctx?.response?.status)) again();
    if (!form || ctx.response?.status === 422) return;
    doubtful.add(form);
    release(form);
    note(form, "Not sent: the server did not take it. Your text is still here; try again.");
  });
}
