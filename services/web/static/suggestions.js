// Whoever one may mean is offered while one types into a field that names a person. There is one list for the page, outside of
// what live updates change. Without it the server still takes a name or an address.
const AFTER = 150; // ms of rest, so that a word typed in one go is asked about once
const list = document.createElement("datalist");
list.id = "known-people";
document.body.append(list);

let timer = 0;
let asking = null;

async function suggest(field) {
  asking = new AbortController();
  const query = new URLSearchParams({ q: field.value });
  try {
    const answer = await fetch(`${field.dataset.suggestions}?${query}`, { signal: asking.signal });
    // Whoever was signed out meanwhile is shown where to sign in: no suggestion.
    if (answer.ok && !answer.redirected) list.innerHTML = await answer.text();
  } catch {
    // Overtaken by more typing, or the server is away: one goes on without.
  }
}

document.addEventListener("input", ({ target }) => {
  if (!target.dataset.suggestions) return;
  clearTimeout(timer);
  asking?.abort();
  timer = setTimeout(suggest, AFTER, target);
});
