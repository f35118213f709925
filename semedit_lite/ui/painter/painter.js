// The painting on a page: its state, and the value that goes to Python and comes from there. Loaded by
// gr.HTML with `element`, `props`, `trigger` and `watch`, together with the files named in __init__.py.

const { size, classes, pairs } = props;
const HOTKEYS = "0123456789qwrtyuopadj"; // of the classes
const parts = Object.fromEntries([...element.querySelectorAll("[data-part]")].map((each) => [each.dataset.part, each]));
const { root, stage, plane, canvas, ring, photo, overlay, palette } = parts;
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
  await new Promise((resolve) => setTimeout(resolve)); // Gradio works on each: the page breathes in between
  trigger("input");
}

// A value from Python is JSON {layout, photo, overlay, fresh, document, over}, or the bare layout.
async function receive(first = false) {
  const mine = ++version;
  const value = props.value || "";
  let given, received, over;
  try {
    given = value.startsWith("{") ? JSON.parse(value) : { layout: value };
    received = given.layout ? await readPng(given.layout, size) : new Uint8Array(size * size);
    over = given.over && given.document === owner ? await readPng(given.over, size) : null;
  } catch (error) {
    return say("The layout could not be read");
  }
  if (mine !== version) return; // painted or replaced meanwhile
  const fresh = first || given.fresh;
  if (given.photo || fresh) {
    photo.hidden = !given.photo;
    if (given.photo) photo.src = given.photo;
  }
  if (given.overlay || fresh) {
    parts["show-overlay"].hidden = !given.overlay;
    overlay.style.backgroundImage = given.overlay ? `url(${given.overlay})` : "";
  }
  if (fresh || given.document) owner = given.document ?? null;
  const { pixels } = drawing, painted = over?.some((id, k) => id !== pixels[k]);
  if (painted) received = received.map((id, k) => (pixels[k] === over[k] ? id : pixels[k]));
  painting.receive(received, fresh);
  show();
  if (painted) send();
}

async function save() {
  const file = await writePng(drawing.pixels, size, classes.map(({ colour }) => colour));
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(file), download: "layout.png" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  say("Layout saved");
}
