// Light, dark or as the system says. What was chosen stands in the page, which comes with it: nothing flashes. Pages outside of an
// organization belong to nobody yet; they look as the last one did. Loaded in <head> without defer, for these.
(() => {
  const KEY = "muster.theme";
  const root = document.documentElement;
  root.classList.add("js");

  function last() {
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
      button.setAttribute("aria-pressed", String(button.value === theme));
    }
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // Storage is refused (private window): pages outside of an organization look as the system says.
    }
  }

  apply(root.dataset.chosenTheme ?? last());
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-set-theme]");
    if (!button) return;
    // The form would do it as well, with a page of its own.
    event.preventDefault();
    apply(button.value);
    const body = new URLSearchParams(new FormData(button.form, button));
    fetch(button.form.action, { method: "POST", body, redirect: "manual" }).catch(() => {
      // The server is away: the choice holds for this page.
    });
  });
})();
