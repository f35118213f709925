// Tools and controls, and what single keys do.

const group = `sketcher-${Math.random().toString(36).slice(2)}`;
parts.tools.querySelectorAll("input").forEach((input) => (input.name = `${group}-tool`));
parts.help.id = `${group}-help`;
canvas.setAttribute("aria-describedby", `${group}-help`);
canvas.setAttribute("aria-label", "Photo to draw on");
parts.size.max = painting.widest;

const use = (tool) => told(painting.use(tool));
const resize = (by) => {
  if (painting.sized) told(painting.resize(painting.width + by * Math.max(1, Math.round(painting.width / 6))));
};

parts.tools.addEventListener("change", (event) => use(event.target.value));
parts.size.addEventListener("input", (event) => told(painting.resize(Number(event.target.value))));
parts.ink.addEventListener("input", (event) => { painting.colour = event.target.value; show(); });
parts.opacity.addEventListener("input", show);
photo.addEventListener("error", () => { photo.hidden = true; show(); });
const clicks = {
  undo: () => told(painting.undo()), redo: () => told(painting.redo()), clear: () => told(painting.clear()),
  "zoom-in": () => zoom(1.5), "zoom-out": () => zoom(1 / 1.5), fit: () => zoom(0),
  "show-lines": () => { lined = !lined; show(); say(lined ? "The photo's own lines are shown" : "The photo's own lines are hidden"); },
};
for (const [name, act] of Object.entries(clicks)) parts[name].addEventListener("click", act);

const keys = {
  p: () => use("pen"), c: () => use("colour"), e: () => use("eraser"), d: () => use("pull"),
  a: () => use("add"), r: () => use("remove"), h: () => use("hand"), l: clicks["show-lines"],
  "[": () => resize(-1), "]": () => resize(1),
  "+": clicks["zoom-in"], "=": clicks["zoom-in"], "-": clicks["zoom-out"], z: clicks.fit,
  escape: () => told(painting.giveUp()),
};
