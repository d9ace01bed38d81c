// The one-line forms for a note or a message. What is half typed stays in this tab until it is sent, whatever page one goes to
// in between. Enter sends; Shift+Enter breaks the line, as Enter does on a touch screen, where there is no other way to.
const KEY = "muster.draft ";

function key(form) {
  return KEY + new URL(form.action).pathname;
}

function store(work) {
  try {
    return work(sessionStorage);
  } catch {
    return null; // Storage is refused or full: what is typed lives as long as its page.
  }
}

function keep(form, text) {
  store((drafts) => (text ? drafts.setItem(key(form), text) : drafts.removeItem(key(form))));
}

for (const form of document.querySelectorAll("form[data-draft]")) {
  // What a refused form came back with is what was typed last.
  const field = form.elements.text;
  if (!field.value) field.value = store((drafts) => drafts.getItem(key(form))) ?? "";
}

document.addEventListener("input", ({ target }) => {
  if (target.form?.matches("[data-draft]")) keep(target.form, target.value);
});
// A form that was sent in place is reset once it was taken.
document.addEventListener("reset", ({ target }) => target.matches("[data-draft]") && keep(target, ""));
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented) return;
  if (form.matches("[data-draft]")) keep(form, "");
  // Nobody else finds what one has typed.
  if (new URL(form.action).pathname.endsWith("/sign-out")) store((drafts) => drafts.clear());
});

document.addEventListener("keydown", (event) => {
  const form = event.target.form;
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || !form?.matches("[data-draft]")) return;
  if (event.target.tagName !== "TEXTAREA" || matchMedia("(pointer: coarse)").matches) return;
  event.preventDefault();
  form.requestSubmit();
});
