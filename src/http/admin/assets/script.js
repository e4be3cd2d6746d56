// What saves steps on the panel's pages. Every page does all that it is for without it.
"use strict";

// Selecting: one box for all of them, and how many there are.
for (const form of document.querySelectorAll("[data-selection]")) {
  const all = form.querySelector("[data-all]");
  const boxes = [...form.querySelectorAll("input[name=id]")];
  const count = form.querySelector("[data-count]");
  if (!all || !count) continue;
  const words = form.querySelector("[data-count-words]");
  const selected = form.querySelector("[data-selected]");
  const numbers = new Intl.NumberFormat(document.documentElement.lang);
  const show = () => {
    const chosen = boxes.filter((box) => box.checked).length;
    all.checked = chosen > 0 && chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
    count.textContent = numbers.format(chosen);
    count.hidden = selected.hidden = chosen === 0;
    words.hidden = chosen > 0;
    for (const box of boxes) box.closest("tr").classList.toggle("chosen", box.checked);
  };
  all.hidden = false;
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    show();
  });
  form.addEventListener("change", show);
  // A browser that comes back to this page may have kept the boxes.
  window.addEventListener("pageshow", show);
  show();
}

// A picture that cannot be shown leaves its place empty.
const failed = (image) => {
  image.classList.add("broken");
};
for (const image of document.querySelectorAll("img")) {
  if (image.complete && image.naturalWidth === 0 && image.loading !== "lazy") failed(image);
  image.addEventListener("error", () => failed(image));
}

// The state of things, and what happens, as they change.
const list = document.querySelector("[data-events]");
if (list && window.EventSource) {
  const most = 200;
  const source = new EventSource(list.dataset.events);
  const live = document.querySelector("[data-live-on]");
  source.addEventListener("open", () => (live.hidden = false));
  source.addEventListener("error", () => (live.hidden = true));

  source.addEventListener("state", (event) => {
    const state = JSON.parse(event.data);
    for (const place of document.querySelectorAll("[data-live]")) {
      const text = String(state[place.dataset.live]);
      if (place.textContent !== text) place.textContent = text;
    }
    for (const place of document.querySelectorAll("[data-live-tone]")) {
      place.dataset.tone = state[place.dataset.liveTone];
    }
    for (const place of document.querySelectorAll("[data-live-shown]")) {
      place.hidden = !state[place.dataset.liveShown];
    }
    for (const bar of document.querySelectorAll("[data-live-progress]")) {
      bar.max = Math.max(1, state[bar.dataset.liveProgress + "_planned"]);
      bar.value = state[bar.dataset.liveProgress + "_done"];
    }
  });

  source.addEventListener("line", (event) => {
    const line = JSON.parse(event.data);
    const item = document.createElement("li");
    const time = document.createElement("time");
    const text = document.createElement("span");
    item.dataset.tone = line.tone;
    item.className = "new";
    time.textContent = line.clock;
    text.textContent = line.text;
    item.append(time, text);
    list.prepend(item);
    while (list.children.length > most) list.lastElementChild.remove();
    document.querySelector("[data-no-events]")?.remove();
  });

  // A page that is kept in the background for coming back to keeps no connection.
  window.addEventListener("pagehide", () => source.close());
}
