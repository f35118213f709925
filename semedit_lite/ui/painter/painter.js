// The painting on the screen: what is seen, and what mouse, touch, pen and keys do. Loaded by gr.HTML
// with `element`, `props`, `trigger` and `watch`, after the files named in __init__.py.

const { size, classes, pairs } = props;
const HOTKEYS = "0123456789qwrtyuopa"; // of the classes
const parts = Object.fromEntries([...element.querySelectorAll("[data-part]")].map((each) => [each.dataset.part, each]));
const { root, stage, plane, canvas, ring, photo, palette } = parts;
const painting = new Painting(size, classes.map(({ name }) => name), pairs), { drawing } = painting;

let cursor = { x: size / 2 + 0.5, y: size / 2 + 0.5 }; // of the keyboard
let seen = null; // {point, reach, keyboard} where the ring is shown
let owner = null; // the document that the drawing belongs to; goes back to Python with every change
let version = 0; // rises with every change, so that a slow PNG never overtakes a newer one

// The value, both ways

async function send() {
  const mine = ++version;
  const layout = await asUrl(await writePng(drawing.pixels, size));
  const value = owner === null ? layout : JSON.stringify({ layout, document: owner });
  if (mine !== version || value === props.value) return;
  props.value = value;
  trigger("input");
}

// A value from Python is JSON {layout, photo, fresh, document}, or the bare layout.
async function receive(first = false) {
  const mine = ++version;
  const value = props.value || "";
  let given, received;
  try {
    given = value.startsWith("{") ? JSON.parse(value) : { layout: value };
    received = given.layout ? await readPng(given.layout, size) : new Uint8Array(size * size);
  } catch (error) {
    return say("The layout could not be read");
  }
  if (mine !== version) return; // painted or replaced meanwhile
  const fresh = first || given.fresh;
  if (given.photo || fresh) {
    photo.hidden = !given.photo;
    if (given.photo) photo.src = given.photo;
  }
  if (fresh) owner = given.document ?? null;
  painting.receive(received, fresh);
  show();
}

// Ends whatever was done: shows it, says it, sends it.
function told(words) {
  show();
  if (words) say(words);
  if (!painting.changed) return;
  painting.changed = false;
  send();
}

async function save() {
  const file = await writePng(drawing.pixels, size, classes.map(({ colour }) => colour));
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(file), download: "layout.png" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  say("Layout saved");
}

// What is seen

canvas.width = canvas.height = size;
parts.marks.setAttribute("viewBox", `0 0 ${size} ${size}`);
const context = canvas.getContext("2d");
const picture = context.createImageData(size, size);
const shown = new Uint32Array(picture.data.buffer); // ABGR, one number a pixel
const colours = new Uint32Array(256).fill(0xffffffff);
const hidden = new Set(); // classes that are not shown
let contrast = false; // whether the colours are those that are easier to tell apart

function colour() {
  classes.forEach((each, id) => {
    const [r, g, b] = (contrast && each.contrast) || each.colour;
    colours[id] = hidden.has(id) ? 0 : ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
    palette.children[id].style.setProperty("--colour", `rgb(${r} ${g} ${b})`);
    palette.children[id].querySelector("button").setAttribute("aria-pressed", hidden.has(id));
  });
  parts["show-all"].disabled = !hidden.size;
  parts.contrast.setAttribute("aria-pressed", contrast);
  drawing.unseen = drawing.whole;
  draw();
}

// The part of the drawing that changed, and the outlines above it.
function draw() {
  const { pixels, unseen } = drawing, { left, top, right, bottom } = unseen;
  if (!isEmpty(unseen)) {
    for (let y = top; y < bottom; y++) {
      for (let k = y * size + left; k < y * size + right; k++) shown[k] = colours[pixels[k]];
    }
    context.putImageData(picture, 0, 0, left, top, right - left, bottom - top);
  }
  drawing.unseen = NOTHING.box;
  outline();
}

// All of it, with the controls.
function show() {
  const { tool, step, selection, sized } = painting;
  draw();
  parts.tools.querySelector(`[value="${tool}"]`).checked = true;
  canvas.dataset.tool = tool;
  choice();
  canvas.style.opacity = photo.hidden ? 1 : 1 - parts.opacity.value / 100;
  parts.underlay.classList.toggle("off", photo.hidden);
  parts.opacity.disabled = photo.hidden;
  parts["opacity-shown"].value = `${parts.opacity.value} %`;
  const steps = tool === "select" || tool === "lasso"; // tools whose step has to be ended
  parts.sizing.hidden = steps;
  parts.selecting.hidden = !steps;
  parts.sizing.classList.toggle("off", !sized);
  parts.size.disabled = !sized;
  if (sized) parts.size.value = painting.width;
  parts["size-shown"].value = sized ? `${painting.width} px` : "";
  for (const name of ["mirror", "tumble", "remove"]) parts[name].disabled = !selection;
  for (const name of ["lay", "give-up"]) parts[name].disabled = !step;
  parts.undo.disabled = !drawing.past.length && !step;
  parts.redo.disabled = !drawing.future.length;
  if (seen) hover(seen.point, seen);
}

function choice() {
  const input = palette.querySelector(`[value="${painting.ink}"]`), { parentElement: swatch } = input;
  if (input.checked) return;
  input.checked = true;
  const entry = swatch.parentElement; // in the middle of the row, on phones
  palette.scrollLeft = entry.offsetLeft - (palette.clientWidth - entry.offsetWidth) / 2;
}

// Lasso, rectangle to select in, selected part: as paths in pixels of the drawing.
let traced = { held: null, path: "" }; // the edges of the selected part, as they were last drawn

function outline() {
  const { step, selection } = painting;
  let path = "", transform = "", corners = "", box = step?.marquee?.box;
  if (step?.points) {
    const line = seen && !painting.pressed ? [...step.points, seen.point] : step.points;
    path = `M${line.map(({ x, y }) => `${x} ${y}`).join("L")}`;
    corners = step.pieces.map((k) => step.points[k]).filter(Boolean).map(({ x, y }) => `M${x} ${y}h0`).join("");
  } else if (selection && !box) {
    box = selection.box;
    const { left, top, right, bottom } = box, { width, height, held } = selection;
    if (traced.held !== held) traced = { held, path: edges(held, width, height) };
    path = traced.path;
    transform = `translate(${left} ${top}) scale(${(right - left) / width} ${(bottom - top) / height})`;
    corners = [left, right].flatMap((x) => [top, bottom].map((y) => `M${x} ${y}h0`)).join("");
  }
  const frame = box ? `M${box.left} ${box.top}H${box.right}V${box.bottom}H${box.left}z` : "";
  for (const [name, drawn] of Object.entries({ outline: path, frame, corners })) {
    for (const part of [parts[name], parts[`${name}-core`]]) attribute(part, "d", drawn);
  }
  for (const part of [parts.outline, parts["outline-core"]]) attribute(part, "transform", transform);
}

// Only what differs is set: setting it makes the browser paint.
function attribute(part, name, value) {
  if ((part.getAttribute(name) ?? "") !== value) part.setAttribute(name, value);
}

// The lines between pixels that are held and pixels that are not.
function edges(held, width, height) {
  const at = (x, y) => x >= 0 && y >= 0 && x < width && y < height && held[y * width + x] === 1;
  let path = "";
  const runs = (count, length, differs, line) => {
    for (let k = 0; k <= count; k++) {
      for (let from = 0, to = 0; from < length; from = ++to) {
        while (to < length && differs(k, to)) to++;
        if (to > from) path += line(k, from, to);
      }
    }
  };
  runs(height, width, (y, x) => at(x, y - 1) !== at(x, y), (y, from, to) => `M${from} ${y}H${to}`);
  runs(width, height, (x, y) => at(x - 1, y) !== at(x, y), (x, from, to) => `M${x} ${from}V${to}`);
  return path;
}

function hover(point, { reach = 0, keyboard = false } = {}) {
  const { sized, selection, pressed } = painting;
  seen = { point, reach, keyboard };
  ring.hidden = false;
  ring.classList.toggle("point", !sized);
  ring.classList.toggle("keyboard", keyboard);
  ring.style.left = `${(100 * point.x) / size}%`;
  ring.style.top = `${(100 * point.y) / size}%`;
  ring.style.width = sized ? `${(100 * painting.width) / size}%` : "";
  if (!pressed) canvas.dataset.grip = selection?.grip(point, reach) ?? "";
  const under = painting.nameAt(point);
  if (parts.under.textContent !== under) parts.under.textContent = under;
  if (painting.step?.points) outline();
}

function unhover() {
  seen = null;
  ring.hidden = true;
  parts.under.textContent = "";
}

const say = (text) => (parts.status.textContent = text);

function look(from, to, factor) {
  carry(from, to, factor);
  const percent = `${Math.round(100 * view.zoom)} %`;
  if (percent !== parts["zoom-shown"].textContent) say(`Zoom ${percent}`);
  parts["zoom-shown"].textContent = percent;
  parts["zoom-out"].disabled = parts.fit.disabled = view.zoom === 1;
  parts["zoom-in"].disabled = view.zoom === CLOSEST;
  stage.classList.toggle("movable", view.zoom > 1);
}

function zoom(factor) {
  const middle = { x: 0.5, y: 0.5 };
  look(middle, middle, factor);
}

// Palette and controls: native radio buttons, so focus roves and readers speak without our help.

const EYE = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12z"/><circle cx="12" cy="12" r="2.8"/><path class="slash" d="M5 19 19 5"/></svg>';
const group = `painter-${Math.random().toString(36).slice(2)}`;
classes.forEach(({ name }, id) => {
  const key = HOTKEYS[id] ?? "", entry = document.createElement("div");
  entry.className = "entry";
  entry.innerHTML = `<label class="swatch"><input type="radio"><i></i><span></span><kbd aria-hidden="true"></kbd></label><button type="button" class="eye">${EYE}</button>`;
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

// Mouse, touch and pen

const REACH = { touch: 20, mouse: 8, pen: 8 }; // CSS pixels that a pointer may be off
const fingers = new Map(); // places of the touches on the canvas
let held = null; // {id, place} of the pointer that draws or, with a place, moves the view

function where(event) {
  const box = canvas.getBoundingClientRect(); // CSS pixels, as the event's: zoom and density cancel
  return {
    point: { x: ((event.clientX - box.left) / box.width) * size, y: ((event.clientY - box.top) / box.height) * size },
    keys: { shift: event.shiftKey, reach: ((REACH[event.pointerType] ?? 8) * size) / box.width },
  };
}

// Two fingers move and zoom the view; what the first had begun is taken back.
function pinch(before, after) {
  const [from, to] = [before, after].map(([a, b]) => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: distance(a, b) }));
  look(from, to, to.apart / Math.max(from.apart, 0.01));
}

canvas.addEventListener("pointerdown", (event) => {
  if (event.pointerType === "touch") fingers.set(event.pointerId, placeOf(event));
  if (fingers.size === 2) {
    if (painting.pressed) told(painting.back());
    held = null;
    unhover();
  }
  if (held || fingers.size > 1 || !event.isPrimary || ![0, 1, 5].includes(event.button)) return;
  canvas.setPointerCapture(event.pointerId);
  held = { id: event.pointerId };
  if (event.button === 1 || painting.tool === "hand") held.place = placeOf(event);
  else if (painting.pressed) held = null; // a key holds the tool down
  else {
    const { point, keys } = where(event);
    painting.press(point, keys, event.button === 5 ? "eraser" : painting.tool); // 5: the far end of a pen
    hover(point, keys);
    show();
  }
});
canvas.addEventListener("pointermove", (event) => {
  if (fingers.has(event.pointerId)) {
    const before = [...fingers.values()];
    fingers.set(event.pointerId, placeOf(event));
    if (fingers.size === 2) pinch(before, [...fingers.values()]);
    if (fingers.size > 1) return;
  }
  if (held?.id === event.pointerId && held.place) {
    const place = placeOf(event);
    look(held.place, place);
    held.place = place;
  } else if (held?.id === event.pointerId && painting.pressed) {
    const all = tools[painting.step.tool].follows ? event.getCoalescedEvents?.() ?? [] : [];
    for (const each of all.length ? all : [event]) {
      const { point, keys } = where(each);
      painting.drag(point, keys);
    }
    draw();
  }
  if (event.isPrimary && (held || event.pointerType !== "touch")) {
    const { point, keys } = where(event);
    hover(point, keys);
  }
});
// A touch that the system takes back, a palm or a gesture, was no stroke.
const lift = () => painting.lift(), back = () => painting.back();
for (const [type, end] of [["pointercancel", back], ["pointerup", lift], ["lostpointercapture", lift]]) {
  canvas.addEventListener(type, (event) => {
    fingers.delete(event.pointerId);
    if (held?.id === event.pointerId) {
      const drew = painting.pressed && !held.place;
      held = null;
      if (drew) told(end());
    }
    if (event.pointerType === "touch") unhover();
  });
}
canvas.addEventListener("dblclick", () => { if (painting.step?.points) told(painting.finish()); });
canvas.addEventListener("pointerleave", () => { if (!held) unhover(); });
canvas.addEventListener("contextmenu", (event) => event.preventDefault());
canvas.addEventListener("mousedown", (event) => { if (event.button === 1) event.preventDefault(); }); // no scrolling by itself
canvas.addEventListener("wheel", (event) => {
  if (view.zoom === 1 && event.deltaY > 0) return; // all is seen: the page scrolls
  event.preventDefault();
  const pixels = event.deltaY * (event.deltaMode === 1 ? 30 : 1), place = placeOf(event);
  look(place, place, Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.0015))); // ctrl: a pinch on a touchpad
  const { point, keys } = where(event);
  hover(point, keys);
}, { passive: false });

// Keys

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
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
let holding = null; // the key that holds the tool down

function onCanvas(event) {
  const { key } = event, by = { shift: event.shiftKey };
  if (key in ARROWS) {
    const [dx, dy] = ARROWS[key].map((sign) => sign * (event.shiftKey ? 10 : 1));
    if (painting.selection && !holding && !event.ctrlKey) {
      told(painting.nudge(dx, dy));
      return true;
    }
    const within = (value) => Math.min(size - 0.5, Math.max(0.5, value));
    cursor = { x: within(cursor.x + dx), y: within(cursor.y + dy) };
    if (holding) { painting.drag(cursor, { shift: false }); draw(); }
    say(`${Math.floor(cursor.x)}, ${Math.floor(cursor.y)}: ${painting.nameAt(cursor)}`);
  } else if (key === " " || key === "Enter") {
    if (event.repeat || held) return true;
    if (key === "Enter" && painting.step && (holding || !painting.pressed)) {
      told(holding ? painting.lift() : painting.finish());
      holding = null;
    } else if (!holding) {
      painting.press(cursor, by);
      const { drags } = tools[painting.tool], once = !drags || (key === "Enter" && painting.step.pieces);
      if (once || (key === "Enter" && painting.tool === "select")) told(painting.lift());
      else {
        holding = key;
        show();
        say(`${painting.tool} down`);
      }
    }
  } else return false;
  reveal({ x: cursor.x / size, y: cursor.y / size });
  hover(cursor, { keyboard: true });
  return true;
}

root.addEventListener("keydown", (event) => {
  if (event.target.tagName === "SELECT") return;
  const key = event.key.toLowerCase();
  const command = event.ctrlKey || event.metaKey;
  if (event.altKey && /^[a-z0-9]$/.test(key)) return; // the browser's own menus
  if (command && (key === "z" || key === "y")) (key === "y" || event.shiftKey ? clicks.redo : clicks.undo)();
  else if (event.target === canvas && (!command || key.startsWith("arrow")) && onCanvas(event)) {} // done there
  else if (key in keys && !command) keys[key](event);
  else return;
  if (!painting.pressed) holding = null;
  event.preventDefault();
});
function letGo() {
  holding = null;
  if (painting.pressed) told(painting.lift());
}
canvas.addEventListener("keyup", (event) => { if (event.key === " " && holding === " ") letGo(); });
canvas.addEventListener("blur", () => { if (holding) letGo(); unhover(); });
canvas.addEventListener("focus", () => { if (canvas.matches(":focus-visible")) hover(cursor, { keyboard: true }); });

colour();
zoom(0);
show();
say("");
watch("value", () => receive());
receive(true);
