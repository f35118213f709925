// How far an edit has come. Loaded by gr.HTML with `element`, `props`, `trigger` and `watch`.

const parts = Object.fromEntries([...element.querySelectorAll("[data-part]")].map((each) => [each.dataset.part, each]));
const { root, picture, bar, words, stop } = parts;
bar.setAttribute("aria-label", props.title);

function receive() {
  root.hidden = !props.value;
  if (root.hidden) {
    picture.hidden = true;
    return (stop.disabled = false);
  }
  const given = JSON.parse(props.value), percent = Math.round(100 * given.done);
  bar.setAttribute("aria-valuenow", percent);
  bar.firstChild.style.width = `${percent}%`;
  words.textContent = given.words;
  if (given.picture) Object.assign(picture, { src: given.picture, hidden: false });
}

stop.addEventListener("click", () => {
  stop.disabled = true; // until the next edit
  trigger("click");
});

watch("value", receive);
receive();
