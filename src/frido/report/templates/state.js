// What a reader chose, in the part of the address behind "#": "#curves-denoiser-loss?filter=width%3D64&sort=3".
// A link copied from the address bar shows another reader the same place and the same choice.
"use strict";
frido.state = {
  panel: "",
  chosen: new URLSearchParams(),
  read() {
    const [panel, words] = location.hash.slice(1).split(/\?(.*)/s);
    this.panel = panel;
    this.chosen = new URLSearchParams(words || "");
  },
  get: (key) => frido.state.chosen.get(key) ?? "",
  // Remember a choice; an empty value forgets it.
  set(key, value) {
    if (value === "") this.chosen.delete(key); else this.chosen.set(key, value);
    history.replaceState(null, "", this.address(this.panel) || location.pathname + location.search);
  },
  address(panel) {
    const words = this.chosen.toString();
    return panel || words ? "#" + panel + (words ? "?" + words : "") : "";
  },
};
frido.state.read();
