// Light, dark or as the system says. Loaded in <head> without defer, so that no page flashes in the wrong theme.
(() => {
  const KEY = "muster.theme";
  const root = document.documentElement;
  root.classList.add("js");

  function stored() {
    try {
      return localStorage.getItem(KEY) ?? "system";
    } catch {
      return "system";
    }
  }

  function apply(theme) {
    if (theme === "system") root.removeAttribute("data-theme");
    else root.dataset.theme = theme;
    for (const button of document.querySelectorAll("[data-set-theme]")) {
      button.setAttribute("aria-pressed", String(button.dataset.setTheme === theme));
    }
  }

  apply(stored());
  document.addEventListener("DOMContentLoaded", () => apply(stored()));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-set-theme]");
    if (!button) return;
    try {
      localStorage.setItem(KEY, button.dataset.setTheme);
    } catch {
      // Storage is refused (private window): the choice holds for this page only.
    }
    apply(button.dataset.setTheme);
  });
})();
