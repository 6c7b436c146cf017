// What moves on the pages. All of them can be read and used without it.
"use strict";

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** Write every moment in the reader's own zone; the hover keeps the exact one. */
function localise(root) {
  const style = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.title = time.dateTime;
    time.textContent = style.format(at);
    time.dataset.local = "";
  }
  for (const place of root.querySelectorAll("[data-zone]")) place.textContent = zone;
}

/** Let the reader choose light, dark or what the system says. */
function offerThemes() {
  const button = document.querySelector("[data-theme-switch]");
  if (!button) return;
  const order = ["system", "light", "dark"];
  const show = (theme) => {
    button.textContent = { system: "Theme: system", light: "Theme: light", dark: "Theme: dark" }[theme];
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  };
  let theme = localStorage.getItem("sluice-theme") ?? "system";
  if (!order.includes(theme)) theme = "system";
  show(theme);
  button.hidden = false;
  button.addEventListener("click", () => {
    theme = order[(order.indexOf(theme) + 1) % order.length];
    localStorage.setItem("sluice-theme", theme);
    show(theme);
  });
}

/** Take over the parts marked `data-live` of a newer version of this page, except where somebody is at work. */
function takeOver(text) {
  const newer = new DOMParser().parseFromString(text, "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = newer.getElementById(part.id);
    const isBusy = part.contains(document.activeElement) && document.activeElement !== document.body;
    if (!next || isBusy || part.querySelector("dialog[open], details[open]")) continue;
    // Forms carry a new key every time; they are only replaced when what they act on has changed.
    if (part.dataset.version && part.dataset.version === next.dataset.version) continue;
    if (next.dataset.version) part.dataset.version = next.dataset.version;
    localise(next);
    if (next.innerHTML !== part.innerHTML) part.replaceChildren(...next.childNodes);
  }
}

/** Follow the stream a page names (`data-stream` on its main element): each event brings its live parts anew. */
function follow() {
  const address = document.querySelector("[data-stream]")?.dataset.stream;
  if (!address) return;
  const state = document.querySelector("[data-stream-state]");
  const say = (word) => { if (state) state.textContent = word; };
  let isLoading = false;
  const refresh = async () => {
    if (isLoading || document.hidden) return;
    isLoading = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.redirected) location.reload();
      else if (answer.ok) { takeOver(await answer.text()); say("live"); }
    } catch { say("not connected"); }
    isLoading = false;
  };
  let source = null;
  const open = () => {
    source = new EventSource(address);
    source.onopen = () => say("live");
    source.onerror = () => say("not connected; trying again");
    for (const kind of ["overview", "route", "rollout", "message"]) source.addEventListener(kind, refresh);
  };
  // A page nobody looks at holds no stream.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { source?.close(); source = null; } else if (!source) { open(); refresh(); }
  });
  open();
}

/** Buttons that open a dialog, and those that close theirs. */
function offerDialogs() {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    const isPlain = !event.metaKey && !event.ctrlKey && !event.shiftKey;
    const dialog = opener && isPlain ? document.getElementById(opener.dataset.opens) : null;
    if (dialog) {
      event.preventDefault();
      dialog.showModal();
      [...dialog.querySelectorAll("select, input:not([type=hidden])")].find((field) => !field.value)?.focus();
    }
    const closer = event.target.closest("[data-closes]");
    if (closer) closer.closest("dialog")?.close();
  });
}

localise(document);
offerThemes();
offerDialogs();
follow();
