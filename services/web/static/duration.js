// Ticking durations: <time data-since="…"> counts on from that moment; without the attribute it stands still.
const two = (number) => String(number).padStart(2, "0");

function spoken(seconds, precise) {
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor((seconds % 86_400) / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  if (days) return `${days} d ${hours} h ${two(minutes)} m`;
  const parts = hours ? [`${hours} h`, `${two(minutes)} m`] : [`${minutes} m`];
  if (precise) parts.push(`${two(seconds % 60)} s`);
  return parts.join(" ");
}

function update() {
  for (const element of document.querySelectorAll("time[data-since]")) {
    const since = Date.parse(element.dataset.since);
    if (Number.isNaN(since)) continue;
    const seconds = Math.max(0, Math.floor((Date.now() - since) / 1000));
    const text = spoken(seconds, "precise" in element.dataset);
    if (element.textContent !== text) element.textContent = text;
  }
}

update();
setInterval(update, 1000);
new MutationObserver(update).observe(document.body, { childList: true, subtree: true, characterData: true });
