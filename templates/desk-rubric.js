// Check the rubric while it is typed, and show its effect on the class.
(function () {
  "use strict";
  const text = document.getElementById("rubric-text");
  const state = document.getElementById("rubric-state");
  const list = document.getElementById("rubric-problems");
  const effect = document.getElementById("rubric-effect");
  const apply = document.getElementById("rubric-apply");
  const form = document.getElementById("rubric-form");
  const opened = text.value;
  let number = 0, timer = 0, pending = false;

  function say(words) { if (state.textContent !== words) { state.textContent = words; } }

  // Select a line of the text, and scroll to it.
  function show(line) {
    const lines = text.value.split("\n");
    const start = lines.slice(0, line - 1).reduce(function (sum, one) { return sum + one.length + 1; }, 0);
    text.focus();
    text.setSelectionRange(start, start + (lines[line - 1] || "").length);
    text.scrollTop = Math.max(0, (line - 6) * text.scrollHeight / Math.max(lines.length, 1));
  }

  function shownProblem(problem) {
    const item = document.createElement("li");
    const words = document.createElement("span");
    words.textContent = problem.text;
    if (problem.line) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "plain";
      button.dataset.key = "n";
      button.textContent = "Line " + problem.line;
      button.addEventListener("click", function () { show(problem.line); });
      item.append(button, " ");
    }
    item.append(words);
    return item;
  }

  function problems(found) {
    list.replaceChildren(...found.map(shownProblem));
    list.hidden = found.length === 0;
    text.setAttribute("aria-invalid", found.length ? "true" : "false");
    apply.disabled = found.length > 0;
    if (found.length) {
      const last = effect.innerHTML ? " The effect is that of the last text without errors." : "";
      say((found.length === 1 ? "1 error." : found.length + " errors.") + last);
    }
  }

  function ask(path) {
    return window.desk.post(path, { text: text.value }).then(function (answer) {
      if (!answer.ok) { throw new Error(String(answer.status)); }
      return answer.json();
    });
  }

  function lost() {
    pending = false;
    effect.setAttribute("aria-busy", "false");
    say("The desk does not answer.");
  }

  function update() {
    const own = ++number;
    ask("/rubric/check").then(function (checked) {
      if (own !== number) { return; }
      problems(checked.problems);
      if (checked.problems.length) { return; }
      say("Grading the class …");
      pending = true;
      effect.setAttribute("aria-busy", "true");
      window.setTimeout(follow, 1000);
      return ask("/rubric/preview").then(function (made) {
        if (own !== number || made.superseded) { return; }
        pending = false;
        effect.setAttribute("aria-busy", "false");
        if (made.problems) { problems(made.problems); return; }
        effect.innerHTML = made.html;
        say(made.summary);
      });
    }).catch(function () { if (own === number) { lost(); } });
  }

  // Show how far a preview is that takes longer, such as the first one.
  function follow() {
    if (!pending) { return; }
    fetch("/rubric/state").then(function (answer) { return answer.json(); }).then(function (now) {
      if (pending && now.preview.total) { say("Grading the class: " + now.preview.done + " of " + now.preview.total + " …"); }
      window.setTimeout(follow, 700);
    }, function () {});
  }

  text.addEventListener("input", function () {
    number += 1;
    window.clearTimeout(timer);
    timer = window.setTimeout(update, 350);
  });

  let leaving = false;
  form.addEventListener("submit", function () { leaving = true; });
  window.addEventListener("beforeunload", function (event) {
    if (!leaving && text.value !== opened) { event.preventDefault(); }
  });

  const regrade = document.getElementById("regrade");
  function regrading() {
    fetch("/rubric/state").then(function (answer) { return answer.json(); }).then(function (now) {
      if (!now.running) { leaving = true; window.location.assign("/rubric"); return; }
      document.getElementById("regrade-done").textContent = now.regrade.done;
      document.getElementById("regrade-total").textContent = now.regrade.total;
      window.setTimeout(regrading, 700);
    }, function () { window.setTimeout(regrading, 3000); });
  }
  if (regrade && regrade.dataset.running === "1") { apply.disabled = true; regrading(); } else { update(); }
})();
