// Sliders on a page. Loaded by gr.HTML with `element`, `props`, `trigger` and `watch`.

const parts = Object.fromEntries([...element.querySelectorAll("[data-part]")].map((each) => [each.dataset.part, each]));
const { root, said, groups, refine } = parts;
const STEP = 0.05;
const NEAR = 0.1; // of 0: a slider that is dragged there lies on it
const PAUSE = 300; // ms without a move after which a slider that was let go has come to rest
const rows = new Map(); // name -> {title, input, value}
let frame = 0, rest = 0; // of the next move and of the next rest that are told
let built = ""; // the groups as they were given

// The value, both ways: Python says which sliders there are and how they stand, and is told so.

const answer = (more) => (props.value = JSON.stringify({ ...stand(), ...more }));

function stand() {
  const all = [...rows].map(([name, { input }]) => [name, Number(input.value)]);
  return { values: Object.fromEntries(all.filter(([, at]) => at)), refine: steps() };
}

function receive() {
  const given = JSON.parse(props.value || "{}");
  if (given.values) return; // what was answered here
  if (given.groups && JSON.stringify(given.groups) !== built) build(given.groups);
  if (given.at) for (const [name, row] of rows) put(row, given.at[name] ?? 0);
  if (given.busy !== undefined) hold(given.busy);
  answer();
}

const steps = () => Number(refine.querySelector(":checked").value);

function hold(why) {
  root.classList.toggle("held", Boolean(why));
  for (const input of root.querySelectorAll("input, .value")) input.disabled = Boolean(why);
  said.textContent = why;
  mark();
}

// The sliders

// Sliders that were there already stay where they are.
function build(all) {
  const { values } = stand();
  built = JSON.stringify(all);
  rows.clear();
  groups.replaceChildren(...all.map(({ title, sliders }) => {
    const group = document.createElement("fieldset"), legend = document.createElement("legend");
    legend.textContent = title;
    group.append(legend, ...sliders.map(add));
    return group;
  }));
  if (!all.length) groups.textContent = "There are none yet: make one of an edit, or load one.";
  for (const [name, row] of rows) put(row, values[name] ?? 0);
}

function add({ name, title, low, high, own }) {
  const entry = document.createElement("div");
  entry.className = "entry";
  entry.innerHTML = `
    <label><span></span><input type="range" step="${STEP}"></label>
    <button type="button" class="value"></button>`;
  const [label, value] = entry.children, [text, input] = label.children;
  text.textContent = label.title = title;
  Object.assign(input, { min: low, max: high, value: 0 });
  input.style.setProperty("--zero", -low / (high - low));
  value.title = `${title} back to 0`;
  const row = { title, input, value };
  rows.set(name, row);
  input.addEventListener("input", () => {
    const at = Number(input.value);
    put(row, input.matches(":active") && Math.abs(at) < NEAR ? 0 : at); // keys go through there
    moved();
  });
  input.addEventListener("change", rests); // a pointer has let go, or a key was pressed
  value.addEventListener("click", () => {
    put(row, 0);
    moved();
    rests();
  });
  if (own) {
    const save = document.createElement("button");
    Object.assign(save, { type: "button", className: "save", title: `Save the slider ${title}` });
    save.setAttribute("aria-label", save.title);
    save.innerHTML = `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 4v11"/><path d="m7.5 11 4.5 4.5 4.5-4.5"/><path d="M4 19.5h16"/></svg>`;
    save.addEventListener("click", () => tell("download", { wanted: name }));
    entry.append(save);
  }
  return entry;
}

function put({ title, input, value }, at) {
  input.value = at;
  const low = Number(input.min), shown = at.toFixed(2).replace("-", "−");
  input.style.setProperty("--at", (Number(input.value) - low) / (Number(input.max) - low));
  input.setAttribute("aria-valuetext", shown);
  value.textContent = at ? shown : "0";
  value.setAttribute("aria-label", `${title}: ${shown}; back to 0`);
  value.classList.toggle("zero", !at);
  mark();
}

const anyMoved = () => [...rows.values()].some(({ input }) => Number(input.value));
const mark = () => (parts.reset.disabled = !anyMoved() || root.classList.contains("held"));

// Told are the moves, one a frame at the most, and when all has come to rest.

function moved() {
  clearTimeout(rest);
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    tell("input");
  });
}

function rests() {
  clearTimeout(rest);
  rest = setTimeout(() => tell(steps() && anyMoved() ? "submit" : "release"), PAUSE);
}

function tell(event, more = {}) {
  answer(more);
  trigger(event);
}

parts.reset.addEventListener("click", () => {
  for (const row of rows.values()) put(row, 0);
  moved();
  rests();
});

const group = `sliders-${Math.random().toString(36).slice(2)}`;
props.refine.forEach((count, k) => {
  const choice = document.createElement("label");
  choice.className = "tool";
  choice.innerHTML = `<input type="radio" name="${group}" value="${count}"><span></span>`;
  choice.children[0].checked = k === 0;
  choice.children[1].textContent = count ? `${count} steps` : "not";
  choice.children[0].addEventListener("change", () => count && anyMoved() ? rests() : answer());
  refine.append(choice);
});

watch("value", receive);
receive();
