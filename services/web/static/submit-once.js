// A form is sent once: its button says so and further clicks do nothing. The button is not `disabled`,
// since that would drop its own name and value from what is sent.
const sent = new Set();
const label = new WeakMap();

export function inFlight(form) {
  return sent.has(form);
}

export function release(form) {
  sent.delete(form);
  for (const button of form.querySelectorAll("button[aria-disabled]")) {
    button.removeAttribute("aria-disabled");
    if (label.has(button)) button.textContent = label.get(button);
  }
}

document.addEventListener(
  "submit",
  (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (sent.has(form)) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    sent.add(form);
    const button = event.submitter ?? form.querySelector("button:not([type=button])");
    if (!button) return;
    button.setAttribute("aria-disabled", "true");
    if (button.dataset.busy) {
      label.set(button, button.textContent);
      button.textContent = button.dataset.busy;
    }
  },
  true,
);

// Back from the browser's page cache the form may be sent again.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) [...sent].forEach(release);
});
document.addEventListener("htmx:finally:request", (event) => {
  const form = event.detail.ctx?.sourceElement;
  if (form instanceof HTMLFormElement) release(form);
});
