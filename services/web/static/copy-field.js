// "Copy": what a field holds, into the clipboard. Without one (plain http, or refused) it stands selected, to be copied by hand.
document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-copy]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copy);
  const status = document.querySelector("[data-copied]");
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    status.textContent = "Copied.";
  } catch {
    status.textContent = "Your browser does not let this page copy: it is selected, copy it by hand.";
  }
});
