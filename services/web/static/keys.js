// Single-key shortcuts. Never inside a field or an open dialog, never with a modifier, and they can be switched off.
const KEY = "muster.keys";
const root = document.documentElement.dataset.root ?? "/";
const dialog = document.getElementById("keys");
const toggle = dialog?.querySelector("[data-keys-on]");

function on() {
  try {
    return localStorage.getItem(KEY) !== "off";
  } catch {
    return true;
  }
}

function typing(target) {
  return target.isContentEditable || target.closest("input, textarea, select, dialog[open]") !== null;
}

function search() {
  const field = document.querySelector("[data-search]");
  if (field) {
    field.focus();
    field.select();
  } else location.assign(`${root}#search`);
}

function move(step) {
  const rows = [...document.querySelectorAll("[data-row] .row-link, [data-row] a.row-target")];
  if (!rows.length) return;
  const here = rows.indexOf(document.activeElement);
  const next = here < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, here + step));
  rows[next].focus();
}

const actions = {
  c: () => location.assign(`${root}/incidents/report`),
  "/": search,
  j: () => move(1),
  k: () => move(-1),
  "?": () => dialog?.showModal(),
  "g i": () => location.assign(root),
};

let lead = "";
let leadUntil = 0;

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (!on() || typing(event.target)) return;
  const combined = lead && Date.now() < leadUntil ? `${lead} ${event.key}` : event.key;
  lead = "";
  if (event.key === "g" && combined === "g") {
    lead = "g";
    leadUntil = Date.now() + 1500;
    return;
  }
  const action = actions[combined];
  if (!action) return;
  event.preventDefault();
  action();
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-show-keys]")) dialog?.showModal();
});

if (toggle) {
  toggle.checked = on();
  toggle.addEventListener("change", () => {
    try {
      localStorage.setItem(KEY, toggle.checked ? "on" : "off");
    } catch {
      // Storage is refused: the shortcuts stay on.
      toggle.checked = true;
    }
  });
}
if (location.hash === "#search") document.querySelector("[data-search]")?.focus();
