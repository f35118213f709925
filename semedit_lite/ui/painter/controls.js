// Palette and controls: native radio buttons, so focus roves and readers speak without our help.

const EYE = parts["show-all"].innerHTML.replace("</svg>", '<path class="slash" d="M5 19 19 5"/></svg>');
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
canvas.setAttribute("aria-label", `Layout, ${size} by ${size} pixels`);
parts.contrast.hidden = !classes.some((each) => each.contrast);

const CONTRAST = "semedit-contrast"; // in the browser's storage, which private browsing may refuse
try {
  contrast = localStorage.getItem(CONTRAST) === "true";
} catch (error) {}

const choose = (id) => told(painting.choose(id));
const erase = () => painting.step?.points ? painting.back() : painting.remove();

palette.addEventListener("change", (event) => choose(Number(event.target.value)));
parts["erase-to"].addEventListener("change", (event) => {
  painting.eraseTo = Number(event.target.value);
  use("eraser");
});
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
parts.export.addEventListener("click", save);
const selects = {
  mirror: () => painting.mirror(true), tumble: () => painting.mirror(false), remove: () => painting.remove(),
  lay: () => painting.finish(), "give-up": () => painting.giveUp(),
};
for (const [name, act] of Object.entries(selects)) {
  parts[name].addEventListener("click", () => {
    told(act());
    canvas.focus({ preventScroll: true }); // the button may be gone now
  });
}

// Keys of the selection and of the classes

Object.assign(keys, {
  f: ({ shiftKey }) => told(painting.mirror(!shiftKey)),
  delete: () => told(erase()), backspace: () => told(erase()),
});
[...HOTKEYS].slice(0, classes.length).forEach((key, id) => (keys[key] = () => choose(id)));
