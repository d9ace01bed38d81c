// "Show password": what was typed can be read, until the form is sent; else browsers would take it for text, to offer it again.
function show(button, shown) {
  document.getElementById(button.dataset.shows).type = shown ? "text" : "password";
  button.setAttribute("aria-pressed", String(shown));
}

document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-shows]");
  if (button) show(button, button.getAttribute("aria-pressed") === "false");
});

document.addEventListener("submit", ({ target }) => {
  for (const button of target.querySelectorAll("[data-shows]")) show(button, false);
});
