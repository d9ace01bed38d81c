// Menus are <details>: they open without this. Here they close on a click elsewhere, on Escape, and when focus goes on.
function close(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!except || !menu.contains(except)) menu.open = false;
  }
}

// A menu at the end of the window opens upwards, if there is room; 80 px are for the bar that telephones have there.
function place(menu) {
  const panel = menu.querySelector(".menu-panel");
  panel.classList.remove("above");
  const { top, bottom, height } = panel.getBoundingClientRect();
  panel.classList.toggle("above", bottom > innerHeight - 80 && top - height > 80);
}

// `toggle` does not bubble.
document.addEventListener("toggle", ({ target }) => target.matches("details.menu[open]") && place(target), true);
document.addEventListener("click", (event) => close(event.target));
document.addEventListener("focusin", (event) => close(event.target));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details.menu[open]");
  if (!menu) return;
  menu.open = false;
  if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
});
