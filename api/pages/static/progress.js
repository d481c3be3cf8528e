// Keeps the parts of a page that are marked as live up to date while something is under way. The page is whole without
// it: it only fetches the same page again, and puts in what has changed.
"use strict";

(function () {
  const EVERY_MS = 2000;
  const LATEST_MS = 30000;
  let wait = EVERY_MS;

  function parts(root) {
    return Array.from(root.querySelectorAll("[data-live]"));
  }

  // Where the page is fetched from, for as long as something is under way: its own address can be one that only takes
  // forms.
  function underWay() {
    const mark = document.querySelector("[data-under-way]");
    return mark ? mark.dataset.underWay : "";
  }

  // A part is replaced only when its stamp is another one, so that nothing is taken from under a finger or a cursor.
  function put(fresh) {
    for (const part of parts(document)) {
      const next = fresh.querySelector('[data-live="' + part.dataset.live + '"]');
      if (!next || next.dataset.stamp === part.dataset.stamp) {
        continue;
      }
      const inside = part.contains(document.activeElement) ? document.activeElement.id : "";
      part.replaceWith(document.importNode(next, true));
      const again = inside ? document.getElementById(inside) : null;
      if (again) {
        again.focus();
      }
    }
  }

  async function look() {
    if (!document.hidden) {
      try {
        const answer = await fetch(underWay(), { credentials: "same-origin" });
        if (answer.ok) {
          put(new DOMParser().parseFromString(await answer.text(), "text/html"));
          wait = EVERY_MS;
        } else {
          wait = Math.min(2 * wait, LATEST_MS);
        }
      } catch (lost) {
        wait = Math.min(2 * wait, LATEST_MS);
      }
    }
    if (underWay()) {
      setTimeout(look, wait);
    }
  }

  if (underWay()) {
    setTimeout(look, wait);
  }
})();
