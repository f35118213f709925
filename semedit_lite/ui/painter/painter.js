// One canvas for what people draw on a picture, loaded by gr.HTML with `element`, `props`,
// `trigger` and `watch`, after png.js. The drawing is a Uint8Array, a class id a pixel; colours
// exist only on the screen, so nothing is ever blended or snapped. Three tables carry the whole:
//   modes  what a pixel holds, how a drawing becomes a value and back
//   tools  what a stroke does: begin(point), move(from, to), end(), which says in words what was done
//   keys   what a key does
// A point is {x, y} in pixels of the drawing, (0, 0) being the upper left corner.

const { size, classes } = props;
const HISTORY = 100; // steps of undo
const part = (name) => element.querySelector(`[data-part="${name}"]`);
const root = part("root"), canvas = part("canvas"), ring = part("ring"), photo = part("photo");

// Modes

const modes = {
  label: {
    entries: classes, // the palette: {name, colour}
    hotkeys: "0123456789qwrtyuopa",
    write: (drawing) => writePng(drawing, size),
    read: (layout) => (layout ? readPng(layout, size) : new Uint8Array(size * size)),
  },
};
const mode = modes[props.mode];

// State

let drawing = new Uint8Array(size * size);
let past = [], future = []; // whole drawings: 64 KB a step at 256 x 256
let stroke = null; // {tool, before, last} while the pointer, Space or Enter is down
let current = "brush", previous = "brush", ink = Math.min(1, mode.entries.length - 1), eraseTo = 0;
let brush = Math.max(1, Math.round(size / 16));
let cursor = { x: size / 2 + 0.5, y: size / 2 + 0.5 };
let seen = null; // [point, keyboard] where the ring is shown
let owner = null; // the document that the drawing belongs to; goes back to Python with every change
let version = 0; // rises with every change, so that a slow PNG never overtakes a newer one

// Marks

function dab({ x, y }, id) {
  const radius = brush / 2;
  const fill = (row, from, to) => {
    if (row < 0 || row >= size || to < 0 || from >= size) return;
    drawing.fill(id, row * size + Math.max(0, from), row * size + Math.min(size - 1, to) + 1);
  };
  for (let row = Math.ceil(y - radius - 0.5); row <= Math.floor(y + radius - 0.5); row++) {
    const half = Math.sqrt(Math.max(0, radius ** 2 - (row + 0.5 - y) ** 2));
    fill(row, Math.ceil(x - half - 0.5), Math.floor(x + half - 0.5)); // pixels with their centre inside
  }
  fill(Math.floor(y), Math.floor(x), Math.floor(x)); // the thinnest brush still marks its pixel
}

function line(from, to, id) {
  const steps = Math.max(1, Math.ceil(2 * Math.hypot(to.x - from.x, to.y - from.y)));
  for (let k = 1; k <= steps; k++) {
    const t = k / steps;
    dab({ x: from.x + t * (to.x - from.x), y: from.y + t * (to.y - from.y) }, id);
  }
}

const inside = ({ x, y }) => x >= 0 && y >= 0 && x < size && y < size;
const at = ({ x, y }) => Math.floor(y) * size + Math.floor(x);

function flood(point, id) {
  if (!inside(point)) return;
  const from = drawing[at(point)], stack = [at(point)];
  if (from === id) return;
  while (stack.length) {
    const here = stack.pop();
    if (drawing[here] !== from) continue;
    drawing[here] = id;
    const x = here % size;
    if (x > 0) stack.push(here - 1);
    if (x < size - 1) stack.push(here + 1);
    if (here >= size) stack.push(here - size);
    if (here < size * (size - 1)) stack.push(here + size);
  }
}

function pick(point) {
  if (inside(point) && drawing[at(point)] < mode.entries.length) choose(drawing[at(point)]);
}

// Tools

const tools = {
  brush: {
    sized: true,
    begin: (point) => dab(point, ink),
    move: (from, to) => line(from, to, ink),
    end: () => `Painted ${named(ink)}`,
  },
  eraser: {
    sized: true,
    begin: (point) => dab(point, eraseTo),
    move: (from, to) => line(from, to, eraseTo),
    end: () => `Erased to ${named(eraseTo)}`,
  },
  fill: { begin: (point) => flood(point, ink), move: () => {}, end: () => `Filled with ${named(ink)}` },
  pick: {
    picks: true, // changes no pixel
    begin: pick,
    move: (_, to) => pick(to),
    end: () => { use(previous); return `Picked ${named(ink)}`; },
  },
};

function begin(point, name = current) {
  stroke = { tool: tools[name], before: drawing.slice(), last: point };
  stroke.tool.begin(point);
  show();
}

function move(point) {
  stroke.tool.move(stroke.last, point);
  stroke.last = point;
}

function end() {
  if (!stroke) return;
  const { tool, before } = stroke;
  stroke = null;
  const words = tool.end();
  say(tool.picks || !same(before, drawing) ? words : "Nothing changed");
  commit(before);
}

function cancel() {
  if (!stroke) return;
  drawing.set(stroke.before);
  stroke = null;
  show();
  say("Stroke given up");
}

// History

const same = (a, b) => a.every((value, k) => value === b[k]);

function remember(before) {
  past.push(before);
  if (past.length > HISTORY) past.shift();
  future = [];
}

function commit(before) {
  if (same(before, drawing)) return show();
  remember(before);
  send();
}

function step(from, to, word) {
  if (stroke || !from.length) return say(`Nothing to ${word}`);
  to.push(drawing);
  drawing = from.pop();
  send();
  say(`${word === "undo" ? "Undone" : "Done again"}; ${past.length} steps to undo, ${future.length} to redo`);
}
const undo = () => step(past, future, "undo");
const redo = () => step(future, past, "redo");

function clear() {
  const before = drawing.slice();
  drawing.fill(0);
  commit(before);
  say(`Canvas cleared to ${named(0)}`);
}

// The value, both ways

async function send() {
  show();
  const mine = ++version;
  const layout = await mode.write(drawing);
  if (mine !== version) return;
  props.value = owner === null ? layout : JSON.stringify({ layout, document: owner });
  trigger("input");
}

// A value from Python is JSON {layout, photo, fresh, document}, or the bare layout.
async function receive(first = false) {
  const mine = ++version;
  const value = props.value || "";
  let parts, received;
  try {
    parts = value.startsWith("{") ? JSON.parse(value) : { layout: value };
    received = await mode.read(parts.layout);
  } catch (error) {
    return say("The layout could not be read");
  }
  if (mine !== version) return; // painted or replaced meanwhile
  cancel();
  const fresh = first || parts.fresh;
  if (parts.photo || fresh) {
    photo.hidden = !parts.photo;
    if (parts.photo) photo.src = parts.photo;
  }
  if (fresh) [past, future, owner] = [[], [], parts.document ?? null];
  else if (!same(received, drawing)) remember(drawing.slice());
  drawing = received;
  show();
}

// On the screen

canvas.width = canvas.height = size;
const context = canvas.getContext("2d");
const picture = context.createImageData(size, size);
const shown = new Uint32Array(picture.data.buffer); // ABGR, one number a pixel
const colours = new Uint32Array(256).fill(0xffffffff);
mode.entries.forEach(({ colour: [r, g, b] }, id) => (colours[id] = ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0));

function show() {
  for (let k = 0; k < drawing.length; k++) shown[k] = colours[drawing[k]];
  context.putImageData(picture, 0, 0);
  canvas.style.opacity = photo.hidden ? 1 : 1 - part("opacity").value / 100;
  part("underlay").classList.toggle("off", photo.hidden);
  part("opacity").disabled = photo.hidden;
  part("opacity-shown").value = `${part("opacity").value} %`;
  part("size").value = brush;
  part("size-shown").value = `${brush} px`;
  part("undo").disabled = !past.length;
  part("redo").disabled = !future.length;
}

function hover(point, keyboard = false) {
  const { sized } = tools[current];
  seen = [point, keyboard];
  ring.hidden = false;
  ring.classList.toggle("point", !sized);
  ring.classList.toggle("keyboard", keyboard);
  ring.style.left = `${(100 * point.x) / size}%`;
  ring.style.top = `${(100 * point.y) / size}%`;
  ring.style.width = sized ? `${(100 * brush) / size}%` : "";
  part("under").textContent = inside(point) ? nameAt(point) : "";
}

function unhover() {
  seen = null;
  ring.hidden = true;
  part("under").textContent = "";
}

const named = (id) => mode.entries[id].name;
const nameAt = (point) => mode.entries[drawing[at(point)]]?.name ?? "no class";
const say = (text) => (part("status").textContent = text);

function use(name) {
  if (stroke) end();
  if (name !== "pick") previous = name;
  current = name;
  part("tools").querySelector(`[value="${name}"]`).checked = true;
  canvas.dataset.tool = name;
  if (seen) hover(...seen);
  say(name === "eraser" ? `Eraser, to ${named(eraseTo)}` : name);
}

function choose(id) {
  ink = id;
  const palette = part("palette"), input = palette.querySelector(`[value="${id}"]`), swatch = input.parentElement;
  input.checked = true;
  palette.scrollLeft = swatch.offsetLeft - (palette.clientWidth - swatch.offsetWidth) / 2; // a row, on phones
  say(named(id));
}

function resize(pixels) {
  brush = Math.min(Number(part("size").max), Math.max(1, pixels));
  show();
  if (seen) hover(...seen);
  say(`Brush ${brush} pixels`);
}

// Palette and controls: native radio buttons, so focus roves and readers speak without our help.

const group = `painter-${Math.random().toString(36).slice(2)}`;
mode.entries.forEach(({ name, colour }, id) => {
  const key = mode.hotkeys[id] ?? "";
  const swatch = document.createElement("label");
  swatch.className = "swatch";
  swatch.innerHTML = '<input type="radio"><i></i><span></span><kbd aria-hidden="true"></kbd>';
  const [input, dot, text, hint] = swatch.children;
  Object.assign(input, { name: `${group}-class`, value: id });
  if (key) input.setAttribute("aria-keyshortcuts", key.toUpperCase());
  dot.style.background = `rgb(${colour})`;
  text.textContent = name;
  hint.textContent = key.toUpperCase();
  part("palette").append(swatch);
  part("erase-to").add(new Option(name, id));
});
part("tools").querySelectorAll("input").forEach((input) => (input.name = `${group}-tool`));
part("help").id = `${group}-help`;
canvas.setAttribute("aria-describedby", `${group}-help`);
canvas.setAttribute("aria-label", `Layout, ${size} by ${size} pixels`);
part("size").max = Math.round(size / 4);

part("tools").addEventListener("change", (event) => use(event.target.value));
part("palette").addEventListener("change", (event) => {
  choose(Number(event.target.value));
  if (current === "eraser" || current === "pick") use("brush");
});
part("erase-to").addEventListener("change", (event) => {
  eraseTo = Number(event.target.value);
  use("eraser");
});
part("size").addEventListener("input", (event) => resize(Number(event.target.value)));
part("opacity").addEventListener("input", show);
part("undo").addEventListener("click", undo);
part("redo").addEventListener("click", redo);
part("clear").addEventListener("click", clear);
photo.addEventListener("error", () => { photo.hidden = true; show(); });

// Mouse, touch and pen

function point(event) {
  const box = canvas.getBoundingClientRect(); // CSS pixels, as the event's: zoom and density cancel
  return { x: ((event.clientX - box.left) / box.width) * size, y: ((event.clientY - box.top) / box.height) * size };
}

canvas.addEventListener("pointerdown", (event) => {
  if (stroke || !event.isPrimary || event.button > 0 && event.button !== 5) return;
  canvas.setPointerCapture(event.pointerId);
  begin(point(event), event.button === 5 ? "eraser" : current); // 5: the far end of a pen
  stroke.pointer = event.pointerId;
  hover(point(event));
});
canvas.addEventListener("pointermove", (event) => {
  if (stroke?.pointer === event.pointerId) {
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) move(point(each));
    show();
  }
  if (event.isPrimary) hover(point(event));
});
// A touch that the system takes back, a palm or a gesture, was no stroke.
for (const [type, done] of [["pointercancel", cancel], ["pointerup", end], ["lostpointercapture", end]]) {
  canvas.addEventListener(type, (event) => {
    if (stroke?.pointer === event.pointerId) done();
    if (event.pointerType === "touch") unhover();
  });
}
canvas.addEventListener("pointerleave", unhover);
canvas.addEventListener("contextmenu", (event) => event.preventDefault());

// Keys

const keys = {
  b: () => use("brush"), e: () => use("eraser"), g: () => use("fill"), i: () => use("pick"),
  "[": () => resize(brush - Math.max(1, Math.round(brush / 6))),
  "]": () => resize(brush + Math.max(1, Math.round(brush / 6))),
};
[...mode.hotkeys].slice(0, mode.entries.length).forEach((key, id) => {
  keys[key] = () => { choose(id); if (current === "eraser" || current === "pick") use("brush"); };
});
const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function onCanvas(event) {
  const { key } = event;
  if (key in arrows) {
    const [dx, dy] = arrows[key].map((sign) => sign * (event.shiftKey ? 10 : 1));
    const within = (value) => Math.min(size - 0.5, Math.max(0.5, value));
    cursor = { x: within(cursor.x + dx), y: within(cursor.y + dy) };
    if (stroke?.keyboard) { move(cursor); show(); }
    say(`${Math.floor(cursor.x)}, ${Math.floor(cursor.y)}: ${nameAt(cursor)}`);
  } else if (key === " " || key === "Enter") {
    if (event.repeat) return true;
    if (stroke && key === "Enter") end();
    else if (!stroke) {
      begin(cursor);
      stroke.keyboard = key;
      if (!stroke.tool.sized) end(); // fill and pick are done at once
      else say(`${current} down`);
    }
  } else if (key === "Escape" && stroke) cancel();
  else return false;
  hover(cursor, true);
  return true;
}

root.addEventListener("keydown", (event) => {
  if (event.target.tagName === "SELECT") return;
  const key = event.key.toLowerCase();
  const command = event.ctrlKey || event.metaKey;
  if (event.altKey && /^[a-z0-9]$/.test(key)) return; // the browser's own menus
  if (command && (key === "z" || key === "y")) (key === "y" || event.shiftKey ? redo : undo)();
  else if (event.target === canvas && !command && onCanvas(event)) {} // done there
  else if (key in keys && !command) keys[key]();
  else return;
  event.preventDefault();
});
canvas.addEventListener("keyup", (event) => {
  if (event.key === " " && stroke?.keyboard === " ") end();
});
canvas.addEventListener("blur", () => { if (stroke?.keyboard) end(); unhover(); });
canvas.addEventListener("focus", () => { if (canvas.matches(":focus-visible")) hover(cursor, true); });

choose(ink);
use(current);
show();
watch("value", () => receive());
receive(true);
