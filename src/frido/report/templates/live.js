// A page that is served: asks which page there is now, and shows it in the place of this one, where the reader was.
"use strict";
{
  const ASK_MS = 2000, QUIET_MS = 2500, KEPT = "frido:live";
  const mine = document.documentElement.dataset.version;
  const sign = document.createElement("div");
  sign.setAttribute("role", "status");
  sign.style.cssText = "position:fixed;right:12px;bottom:12px;z-index:9;max-width:min(46em,90vw);padding:4px 12px;" +
    "border-radius:14px;font:12.5px/1.4 system-ui,sans-serif;white-space:pre-wrap;overflow:auto;max-height:30vh;" +
    "background:#1f2933;color:#fff;box-shadow:0 2px 10px #0004";
  for (const [word, hidden] of [["beforeprint", true], ["afterprint", false]])
    addEventListener(word, () => { sign.hidden = hidden; });
  const say = (words) => { if (sign.textContent !== words) sign.textContent = words; };
  addEventListener("DOMContentLoaded", () => document.body.append(sign));
  const fine = "live · drawn " + new Date().toLocaleTimeString();
  say(fine);

  // Where the reader is: the last section or panel that begins above the window, and how far above.
  const marks = () => [...document.querySelectorAll("main [id]")];
  const controls = () => [...document.querySelectorAll("input[type=range], input[type=checkbox], select")];
  const folds = () => [...document.querySelectorAll("details")];
  const keep = () => {
    const above = marks().map((mark, place) => [place, mark.getBoundingClientRect().top]).filter(([, top]) => top <= 1);
    const values = controls().map((control) => (control.type === "checkbox" ? control.checked : control.value));
    sessionStorage.setItem(KEPT, JSON.stringify({
      mark: above.at(-1) ?? null, count: marks().length, y: scrollY, values, open: folds().map((fold) => fold.open),
    }));
    history.scrollRestoration = "manual";
  };
  const restore = () => {
    const kept = JSON.parse(sessionStorage.getItem(KEPT) || "null");
    sessionStorage.removeItem(KEPT);
    if (!kept) return;
    if (folds().length === kept.open.length) folds().forEach((fold, place) => { fold.open = kept.open[place]; });
    if (controls().length === kept.values.length) controls().forEach((control, place) => {
      const [now, name] = control.type === "checkbox" ? [control.checked, "checked"] : [control.value, "value"];
      if (now === kept.values[place]) return;
      control[name] = kept.values[place];
      for (const word of ["input", "change"]) control.dispatchEvent(new Event(word, { bubbles: true }));
    });
    if (kept.mark && kept.count === marks().length) {
      const [place, top] = kept.mark;
      scrollBy({ top: marks()[place].getBoundingClientRect().top - top, behavior: "instant" });
    } else scrollTo({ top: kept.y, behavior: "instant" });
    history.scrollRestoration = "auto";
  };
  addEventListener("load", restore);

  // Nothing is taken away under a hand that is at work.
  let touched = -QUIET_MS;
  for (const word of ["pointerdown", "pointermove", "keydown", "wheel", "touchmove"])
    addEventListener(word, () => { touched = performance.now(); }, { passive: true });
  const ask = async () => {
    if (!document.hidden) {
      try {
        const news = await (await fetch("version", { cache: "no-store" })).json();
        if (news.problem) say("live · not drawn anew:\n" + news.problem);
        else if (news.version === mine) say(fine);
        else if (performance.now() - touched < QUIET_MS) say("live · something new, in a moment");
        else { keep(); return location.reload(); }
      } catch { say("no longer live: the program that showed this page has ended"); }
    }
    setTimeout(ask, ASK_MS);
  };
  setTimeout(ask, ASK_MS);
}
