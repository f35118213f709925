// What this canvas has beside the controls of all: the colour, and the photo's own lines.

canvas.setAttribute("aria-label", "Photo to draw on");
parts.ink.addEventListener("input", (event) => { painting.colour = event.target.value; show(); });

function suggest() {
  lined = !lined;
  show();
  say(lined ? "The photo's own lines are shown" : "The photo's own lines are hidden");
}
parts["show-lines"].addEventListener("click", suggest);
keys.l = suggest;
