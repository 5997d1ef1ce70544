// Small help for every page. Without it everything still works: forms post, menus open, selects have a button.

const say = (text) => {
  const toast = document.createElement("p");
  toast.textContent = text;
  document.getElementById("toasts").append(toast);
  setTimeout(() => toast.remove(), 4000);
};

const prepare = (root) => {
  for (const element of root.querySelectorAll("[data-needs-js]")) element.hidden = false;
  for (const element of root.querySelectorAll("[data-hide-with-js]")) element.hidden = true;
};

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) {
    await navigator.clipboard.writeText(document.querySelector(button.dataset.copy).textContent.trim());
    say(document.body.dataset.copied);
  }
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

document.addEventListener("change", (event) => {
  if (event.target.matches("select")) event.target.closest("form[data-autosubmit]")?.requestSubmit();
});

// A second click does not send twice.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.confirm && !window.confirm(form.dataset.confirm)) {
    event.preventDefault();
    return;
  }
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) event.preventDefault();
  else form.dataset.sent = "yes";
});

// The browser may keep a page in its memory that it must not store. Whoever goes back to it may have logged out since:
// it is not shown, but asked for anew.
window.addEventListener("pagehide", (event) => {
  document.documentElement.hidden = event.persisted;
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.replace(location.pathname + location.search);
});

document.addEventListener("htmx:after:swap", () => prepare(document));
document.addEventListener("htmx:error", () => say(document.body.dataset.offline));

// A table that is wider than its place scrolls; so it takes the focus, and the arrow keys move it.
const scrolling = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
for (const table of document.querySelectorAll(".prose table")) scrolling.observe(table);

// The first field that is wrong gets the focus.
document.querySelector("[aria-invalid=true]")?.focus();
prepare(document);
