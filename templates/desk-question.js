// Keys for points and comments while one answer is judged.
(function () {
  "use strict";
  const form = document.getElementById("judge");
  if (!form) { return; }
  const points = document.getElementById("points");
  const comment = document.getElementById("comment");
  const bank = document.getElementById("bank");
  const most = Number(points.dataset.most);
  const used = bank ? [...bank.children] : [];

  function set(text) {
    points.value = text;
    document.querySelectorAll(".step").forEach(function (button) {
      button.setAttribute("aria-pressed", text !== "" && Number(button.dataset.points) === Number(text) ? "true" : "false");
    });
  }

  // A digit replaces the points; after a decimal point, or if more points are possible, it is added.
  function digit(key) {
    const added = points.value.replace(",", ".") + key;
    const adds = points.value !== "" && Number(added) <= most && (points.value.endsWith(".") || most > 9);
    if (adds) { set(added); } else if (Number(key) <= most) { set(key); }
  }

  function typed(key) {
    if (/^[0-9]$/.test(key)) { digit(key); return true; }
    if (key === "." || key === ",") { set((points.value || "0").replace(/[.,].*$/, "") + "."); return true; }
    if (key === "Backspace") { set(points.value.slice(0, -1)); return true; }
    return false;
  }

  function save() { form.requestSubmit(); }

  function take(item) {
    comment.value = item.querySelector(".bank-text").textContent;
    search();
    comment.focus();
  }

  // Show the used comments that contain what was typed; without a search, the first nine.
  function search() {
    const words = comment.value.trim().toLowerCase();
    let shown = 0;
    used.forEach(function (item) {
      const fits = item.querySelector(".bank-text").textContent.toLowerCase().includes(words);
      item.hidden = !fits || shown >= 9;
      shown += fits ? 1 : 0;
    });
  }

  function flag() {
    const box = document.getElementById("flag");
    box.open = true;
    box.querySelector("#why, button").focus();
  }

  function inComment(event) {
    if (event.key === "Enter" && !event.shiftKey) { save(); return true; }
    if (comment.value === "" && /^[1-9]$/.test(event.key)) {
      const item = used.filter(window.desk.visible)[Number(event.key) - 1];
      if (item) { take(item); return true; }
    }
    if (event.key === "ArrowDown" && comment.selectionStart === comment.value.length) {
      const item = used.find(window.desk.visible);
      if (item) { item.querySelector("button").focus(); return true; }
    }
    return false;
  }

  function inBank(event) {
    const shown = used.filter(window.desk.visible);
    const place = shown.indexOf(event.target.closest("li"));
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const next = shown[place + (event.key === "ArrowDown" ? 1 : -1)];
      (next ? next.querySelector("button") : comment).focus();
      return true;
    }
    return false;
  }

  document.addEventListener("keydown", function (event) {
    if (!window.desk.enabled.checked || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) { return; }
    if (document.querySelector("dialog[open]")) { return; }
    let done = false;
    if (event.target === comment) {
      done = inComment(event);
    } else if (event.target.closest("#bank")) {
      done = inBank(event);
    } else if (!window.desk.typing(event.target)) {
      done = !points.disabled && typed(event.key);
      if (event.key === "Enter" && !event.target.closest("a, button, summary")) { save(); done = true; }
      if (event.key === "f") { flag(); done = true; }
    }
    if (done) { event.preventDefault(); }
  });

  comment.addEventListener("input", search);
  used.forEach(function (item) { item.querySelector("button").addEventListener("click", function () { take(item); }); });
  document.querySelectorAll(".step").forEach(function (button) {
    button.addEventListener("click", function () { set(button.dataset.points.replace(/\.0$/, "")); button.blur(); });
  });
  set(points.value);

  // Hold the answer while the page is open.
  function hold(force) { return window.desk.post("/hold", { key: form.dataset.hold, force: force ? "1" : "0" }); }
  if (!points.disabled) { window.setInterval(hold, 30000); }
  const other = document.getElementById("take");
  if (other) { other.addEventListener("click", function () { hold(true).then(function () { window.location.reload(); }); }); }
})();
