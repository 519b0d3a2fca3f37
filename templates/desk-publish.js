// Show the progress of sending, and the result when it has ended.
(function () {
  "use strict";
  const line = document.getElementById("sending");
  if (!line) { return; }

  function shown(state) {
    if (!state.running) { window.location.reload(); return; }
    line.querySelector("progress").max = state.total || 1;
    line.querySelector("progress").value = state.done;
    line.querySelector("span").textContent = state.done + " of " + state.total + " messages";
    again();
  }
  function ask() { fetch("/publish/mail/state").then(function (answer) { return answer.json(); }).then(shown, again); }
  function again() { window.setTimeout(ask, 1000); }
  again();
})();
