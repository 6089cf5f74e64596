// Links to sections and panels, which keep what the reader chose.
"use strict";
{
  const go = () => {
    const target = frido.state.panel && document.getElementById(frido.state.panel);
    if (!target) return;
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    target.scrollIntoView();
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    location.hash = frido.state.address(link.getAttribute("href").slice(1)).slice(1);
    const target = document.getElementById(link.getAttribute("href").slice(1));
    if (target && target.matches("main")) target.focus();
  });
  window.addEventListener("hashchange", () => {
    frido.state.read();
    frido.tell("state");
    go();
  });
  addEventListener("load", go);
  // On paper every fold is open, but for the files of many runs; afterwards each is as it was.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open], .folds details)")];
    for (const fold of closed) fold.open = true;
  });
  addEventListener("afterprint", () => closed.forEach((fold) => { fold.open = false; }));
}
