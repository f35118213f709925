// Mouse, touch, pen and keys, on a canvas. Whoever loads this has `painting`, a Drawer, and its `tools`;
// `size`, what the canvas measures in its own pixels; `keys`, what single keys do; and show, draw, send.

// Ends whatever was done: shows it, says it, sends it.
function told(words) {
  show();
  if (words) say(words);
  if (!painting.changed) return;
  painting.changed = false;
  send();
}

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
canvas.addEventListener("mousedown", (event) => {
  if (event.button === 1) event.preventDefault(); // else the page begins to scroll by itself
});
canvas.addEventListener("wheel", (event) => {
  if (view.zoom === 1 && !event.ctrlKey) return; // all is seen: the page scrolls
  event.preventDefault();
  const pixels = event.deltaY * (event.deltaMode === 1 ? 30 : 1), place = placeOf(event);
  look(place, place, Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.0015))); // ctrl: a pinch on a touchpad
  const { point, keys } = where(event);
  hover(point, keys);
}, { passive: false });

// Keys

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
