// Replaces what the page shows by what it would show now, without a reload. The server makes it: nothing is made here.
(() => {
  "use strict";
  const PERIOD = 5000;
  const stale = document.getElementById("stale");

  const isBusy = () => {
    const selection = document.getSelection();
    return document.hidden || (selection && !selection.isCollapsed);
  };

  const refresh = async () => {
    if (isBusy()) return;
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(PERIOD) });
      if (!answer.ok) throw new Error(String(answer.status));
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const details of document.querySelectorAll("details[open][id]")) {
        next.getElementById(details.id)?.setAttribute("open", "");
      }
      const shown = document.querySelector("main");
      const focused = document.activeElement?.closest("details")?.id;
      shown.replaceWith(document.adoptNode(next.querySelector("main")));
      if (focused) document.getElementById(focused)?.querySelector("summary")?.focus({ preventScroll: true });
      stale.hidden = true;
    } catch {
      stale.hidden = false;
    }
  };

  setInterval(refresh, PERIOD);
  document.addEventListener("visibilitychange", refresh);
})();
