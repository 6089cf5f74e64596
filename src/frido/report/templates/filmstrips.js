// Filmstrips of one scene at a time.
"use strict";
{
  const controls = document.getElementById("filmstrips-controls");
  if (controls) {
    const select = controls.querySelector("select");
    const scenes = document.querySelectorAll("#filmstrips .films");
    const draw = () => { for (const scene of scenes) scene.hidden = scene.dataset.scene !== select.value; };
    const recall = () => { select.value = frido.state.get("film") || "0"; if (!select.value) select.value = "0"; draw(); };
    select.addEventListener("change", () => {
      frido.state.set("film", select.value === "0" ? "" : select.value);
      draw();
    });
    frido.on("state", recall);
    controls.hidden = false;
    recall();
  }
}
