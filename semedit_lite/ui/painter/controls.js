// Palette and controls: native radio buttons, so focus roves and readers speak without our help.

const EYE = parts["show-all"].innerHTML.replace("</svg>", '<path class="slash" d="M5 19 19 5"/></svg>');
const group = `painter-${Math.random().toString(36).slice(2)}`;
classes.forEach(({ name }, id) => {
  const key = HOTKEYS[id] ?? "", entry = document.createElement("div");
  entry.className = "entry";
  entry.innerHTML = `
    <label class="swatch"><input type="radio"><i></i><span></span><kbd aria-hidden="true"></kbd></label>
    <button type="button" class="eye">${EYE}</button>`;
  const [swatch, eye] = entry.children, [input, , text, hint] = swatch.children;
  Object.assign(input, { name: `${group}-class`, value: id });
  if (key) input.setAttribute("aria-keyshortcuts", key.toUpperCase());
  text.textContent = name;
  hint.textContent = key.toUpperCase();
  eye.title = `Hide ${name}`;
  eye.setAttribute("aria-label", `Hide ${name}`);
  eye.addEventListener("click", () => {
    if (!hidden.delete(id)) hidden.add(id);
    colour();
    say(`${name} ${hidden.has(id) ? "hidden" : "shown"}`);
  });
  palette.append(entry);
  parts["erase-to"].add(new Option(name, id));
});
parts.tools.querySelectorAll("input").forEach((input) => (input.name = `${group}-tool`));
parts.help.id = `${group}-help`;
canvas.setAttribute("aria-describedby", `${group}-help`);
canvas.setAttribute("aria-label", `Layout, ${size} by ${size} pixels`);
parts.size.max = painting.widest;
parts.contrast.hidden = !classes.some((each) => each.contrast);

const CONTRAST = "semedit-contrast"; // in the browser's storage, which private browsing may refuse
try {
  contrast = localStorage.getItem(CONTRAST) === "true";
} catch (error) {}

const use = (tool) => told(painting.use(tool));
const choose = (id) => told(painting.choose(id));
const resize = (by) => {
  if (painting.selection) return told(painting.grow(by));
  if (painting.sized) told(painting.resize(painting.width + by * Math.max(1, Math.round(painting.width / 6))));
};
const erase = () => painting.step?.points ? painting.back() : painting.remove();

parts.tools.addEventListener("change", (event) => use(event.target.value));
palette.addEventListener("change", (event) => choose(Number(event.target.value)));
parts["erase-to"].addEventListener("change", (event) => {
  painting.eraseTo = Number(event.target.value);
  use("eraser");
});
parts.size.addEventListener("input", (event) => told(painting.resize(Number(event.target.value))));
parts.opacity.addEventListener("input", show);
photo.addEventListener("error", () => { photo.hidden = true; show(); });
parts["show-all"].addEventListener("click", () => { hidden.clear(); colour(); say("All classes shown"); });
for (const name of ["title", "ariaLabel"]) parts["show-overlay"][name] = props.overlay;
parts["show-overlay"].addEventListener("click", () => {
  overlaid = !overlaid;
  show();
});
parts.contrast.addEventListener("click", () => {
  contrast = !contrast;
  try {
    localStorage.setItem(CONTRAST, contrast);
  } catch (error) {}
  colour();
});
const clicks = {
  undo: () => told(painting.undo()), redo: () => told(painting.redo()), clear: () => told(painting.clear()), export: save,
  "zoom-in": () => zoom(1.5), "zoom-out": () => zoom(1 / 1.5), fit: () => zoom(0),
};
const selects = {
  mirror: () => painting.mirror(true), tumble: () => painting.mirror(false), remove: () => painting.remove(),
  lay: () => painting.finish(), "give-up": () => painting.giveUp(),
};
for (const [name, act] of Object.entries(clicks)) parts[name].addEventListener("click", act);
for (const [name, act] of Object.entries(selects)) {
  parts[name].addEventListener("click", () => {
    told(act());
    canvas.focus({ preventScroll: true }); // the button may be gone now
  });
}

// Keys of the tools and of the classes

const keys = {
  b: () => use("brush"), e: () => use("eraser"), s: () => use("rectangle"), c: () => use("ellipse"), l: () => use("lasso"),
  g: () => use("fill"), i: () => use("pick"), v: () => use("select"), h: () => use("hand"),
  "[": () => resize(-1), "]": () => resize(1),
  "+": clicks["zoom-in"], "=": clicks["zoom-in"], "-": clicks["zoom-out"], z: clicks.fit,
  f: ({ shiftKey }) => told(painting.mirror(!shiftKey)),
  delete: () => told(erase()), backspace: () => told(erase()),
  escape: () => told(painting.giveUp()),
};
[...HOTKEYS].slice(0, classes.length).forEach((key, id) => (keys[key] = () => choose(id)));
