// Keys of the desk, and the state of its pages. Elements name their key in `data-key`; a key clicks its element.
(function () {
  "use strict";
  const dialog = document.getElementById("keys");
  const csrf = document.body.dataset.csrf;
  const enabled = document.getElementById("keys-on");
  let going = false;

  enabled.checked = window.localStorage.getItem("keys") !== "off";
  enabled.addEventListener("change", function () { window.localStorage.setItem("keys", enabled.checked ? "on" : "off"); });

  function post(path, fields) {
    const headers = { "X-Desk-Csrf": csrf };
    return fetch(path, { method: "POST", headers: headers, body: new URLSearchParams(fields) });
  }

  function visible(element) { return element.getClientRects().length > 0; }

  function named(attribute, key) {
    return [...document.querySelectorAll("[" + attribute + "]")].find(function (element) {
      return element.getAttribute(attribute).split(" ").includes(key) && visible(element) && !element.disabled;
    });
  }

  // A list with `data-list`: j and k move through its links.
  function move(step) {
    const links = [...document.querySelectorAll("[data-list] > li > a, [data-list] > li > details > summary")].filter(visible);
    const place = links.indexOf(document.activeElement);
    const next = links[place < 0 ? 0 : Math.max(0, Math.min(place + step, links.length - 1))];
    if (next) { next.focus(); }
    return Boolean(next);
  }

  function typing(target) { return Boolean(target.closest("input:not([type=checkbox], [type=radio]), select, textarea")); }

  function act(event) {
    const key = event.key;
    if (going) {
      going = false;
      const view = named("data-go", key);
      if (view) { view.click(); }
      return Boolean(view);
    }
    if (key === "Enter" && event.target.closest("a, button, summary")) { return false; }
    if (key === "?") { dialog.showModal(); return true; }
    const own = named("data-key", key);
    if (own) {
      if (own.matches("input, textarea, select")) { own.focus(); } else { own.click(); }
      return true;
    }
    if (key === "g") { going = true; return true; }
    return key === "j" ? move(1) : key === "k" ? move(-1) : false;
  }

  // After a form is sent or a link is opened, keys wait for the next page: they must not change what was sent, and are
  // meant for the page that opens. A download opens no page.
  let sent = false;
  document.addEventListener("submit", function (event) {
    if (event.target.method === "dialog" || event.target.matches("[data-download]")) { return; }
    if (sent) { event.preventDefault(); }
    sent = true;
  });
  document.addEventListener("click", function (event) {
    const link = event.target.closest("a[href]");
    if (!link || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey || link.target) { return; }
    const here = link.pathname === window.location.pathname && link.search === window.location.search;
    if (link.origin === window.location.origin && !link.hasAttribute("download") && !(here && link.hash)) { sent = true; }
  });
  window.addEventListener("pageshow", function () { sent = false; });
  // The page stays if a person keeps what was not stored. Registered last, after the page's own question.
  document.addEventListener("DOMContentLoaded", function () {
    window.addEventListener("beforeunload", function (event) { if (event.defaultPrevented) { sent = false; } });
  });
  document.addEventListener("keydown", function (event) {
    if (sent) { event.preventDefault(); event.stopImmediatePropagation(); }
  }, true);

  document.addEventListener("keydown", function (event) {
    if (event.defaultPrevented || !enabled.checked || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) { return; }
    if (document.querySelector("dialog[open]")) { return; }
    if (typing(event.target)) {
      if (event.key === "Escape") { event.target.blur(); }
      return;
    }
    if (act(event)) { event.preventDefault(); }
  });

  // Go back in the history, so that the browser keeps what was entered; the link's address is for pages without one.
  document.querySelectorAll("[data-back]").forEach(function (link) {
    link.addEventListener("click", function (event) {
      if (!document.referrer || window.history.length < 2) { return; }
      event.preventDefault();
      window.history.back();
    });
  });

  const help = document.getElementById("help");
  if (help) { help.addEventListener("click", function () { dialog.showModal(); }); }

  // A search field with `data-filter` hides the elements that do not contain its text.
  document.querySelectorAll("[data-filter]").forEach(function (field) {
    field.addEventListener("input", function () {
      const words = field.value.trim().toLowerCase();
      document.querySelectorAll(field.dataset.filter).forEach(function (item) {
        item.hidden = !item.textContent.toLowerCase().includes(words);
      });
    });
  });

  // An address such as #criterion-accuracy opens that criterion.
  const target = window.location.hash && document.getElementById(window.location.hash.slice(1));
  if (target && target.matches("details")) { target.open = true; target.querySelector("summary").focus(); }

  // Show how many pages are out of date, while some are.
  const updates = document.getElementById("updates");
  function shown(state) {
    const one = state.waiting === 1 ? "1 page to update" : state.waiting + " pages to update";
    updates.textContent = state.running ? "Updating pages …" : state.waiting ? one : "Pages are up to date";
    updates.dataset.waiting = state.waiting;
    updates.dataset.running = state.running ? "1" : "0";
    updates.title = state.problem;
  }
  function follow() {
    if (updates.dataset.waiting === "0" && updates.dataset.running === "0") { return; }
    fetch("/updates").then(function (answer) { return answer.json(); }).then(shown).then(again, again);
  }
  function again() { window.setTimeout(follow, 3000); }
  if (updates) { again(); }

  window.desk = { enabled: enabled, post: post, typing: typing, visible: visible };
})();
