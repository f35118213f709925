// The controls that every canvas has, and what single keys do; a canvas adds its own to `keys`, those of
// the tools stand in its page. Whoever loads this has `painting`, a Drawer, and `parts`, the elements of
// the page by their data-part; told, show and zoom.

const group = `canvas-${Math.random().toString(36).slice(2)}`;
parts.help.id = `${group}-help`;
canvas.setAttribute("aria-describedby", `${group}-help`);
parts.size.max = painting.widest;

const use = (tool) => told(painting.use(tool));
const resize = (by) => {
  if (painting.selection) return told(painting.grow(by));
  if (painting.sized) told(painting.resize(painting.width + by * Math.max(1, Math.round(painting.width / 6))));
};

parts.tools.addEventListener("change", (event) => use(event.target.value));
parts.size.addEventListener("input", (event) => told(painting.resize(Number(event.target.value))));
parts.opacity.addEventListener("input", show);
photo.addEventListener("error", () => { photo.hidden = true; show(); });
const clicks = {
  undo: () => told(painting.undo()), redo: () => told(painting.redo()), clear: () => told(painting.clear()),
  "zoom-in": () => zoom(1.5), "zoom-out": () => zoom(1 / 1.5), fit: () => zoom(0),
};
for (const [name, act] of Object.entries(clicks)) parts[name].addEventListener("click", act);

const keys = {
  "[": () => resize(-1), "]": () => resize(1),
  "+": clicks["zoom-in"], "=": clicks["zoom-in"], "-": clicks["zoom-out"], z: clicks.fit,
  escape: () => told(painting.giveUp()),
};
for (const input of parts.tools.querySelectorAll("input")) {
  input.name = `${group}-tool`;
  keys[input.getAttribute("aria-keyshortcuts").toLowerCase()] = () => use(input.value);
}
