// "Copy link to this form": the address of the form with what has been filled in, to be shared as a prepared report.
const PRIVATE = new Set(["csrf_token", "idempotency_key", "command_id"]);

function address(form) {
  const link = new URL(location.pathname, location.origin);
  for (const [name, value] of new FormData(form)) {
    if (typeof value === "string" && value.trim() && !PRIVATE.has(name)) link.searchParams.append(name, value);
  }
  return link.href;
}

async function copy(button) {
  const form = button.closest("form");
  const status = form.querySelector("[data-copied]");
  const link = address(form);
  try {
    await navigator.clipboard.writeText(link);
    status.textContent = "Link copied. Whoever opens it finds this form filled in.";
  } catch {
    // No clipboard here (plain http, or refused): show the link, selected, to be copied by hand.
    const field = document.createElement("input");
    field.readOnly = true;
    field.value = link;
    field.setAttribute("aria-label", "Link to this form");
    status.replaceChildren(field);
    field.focus();
    field.select();
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy-link]");
  if (button) copy(button);
});
