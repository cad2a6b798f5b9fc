// Replaces what the page shows by what it would show now, without a reload. The server makes it: nothing is made here.
(() => {
  "use strict";
  const PERIOD = 5000;
  // While something runs whose end is waited for.
  const SHORT = 500;
  const stale = document.getElementById("stale");

  const isBusy = () => {
    const selection = document.getSelection();
    const isTyping = document.activeElement?.matches("input");
    return document.hidden || isTyping || (selection && !selection.isCollapsed);
  };

  const refresh = async () => {
    if (isBusy()) return;
    try {
      const answer = await fetch("/" + location.search, { cache: "no-store", signal: AbortSignal.timeout(PERIOD) });
      if (!answer.ok) throw new Error(String(answer.status));
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const details of document.querySelectorAll("details[open][id]")) {
        next.getElementById(details.id)?.setAttribute("open", "");
      }
      for (const input of document.querySelectorAll("input[id]")) {
        const kept = next.getElementById(input.id);
        if (kept && input.value !== input.defaultValue) kept.value = input.value;
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

  const again = async () => {
    await refresh();
    setTimeout(again, document.querySelector("[data-running]") ? SHORT : PERIOD);
  };

  setTimeout(again, document.querySelector("[data-running]") ? SHORT : PERIOD);
  document.addEventListener("visibilitychange", refresh);
})();
