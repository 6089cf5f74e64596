// Light, dark, or as the system has it.
"use strict";
{
  const button = document.getElementById("theme");
  const names = { "": "as the system", light: "light", dark: "dark" };
  const show = () => {
    const theme = frido.state.get("theme") in names ? frido.state.get("theme") : "";
    if (theme) document.documentElement.dataset.theme = theme; else delete document.documentElement.dataset.theme;
    button.textContent = "theme: " + names[theme];
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    const order = Object.keys(names);
    frido.state.set("theme", order[(order.indexOf(frido.state.get("theme")) + 1) % order.length]);
    show();
  });
  frido.on("state", show);
  show();
}
