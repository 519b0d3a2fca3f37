// Two things that the theme leaves out for people without a mouse or a screen.
(() => {
  const improve = () => {
    // Wide tables scroll; the keyboard can reach them.
    for (const table of document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])")) {
      table.tabIndex = 0;
    }
    // The buttons of each block of code are a landmark with a name of its own.
    document.querySelectorAll(".md-code__nav:not([aria-label])").forEach((buttons) => {
      const place = [...document.querySelectorAll(".md-code__nav")].indexOf(buttons) + 1;
      buttons.setAttribute("aria-label", `Code block ${place}`);
    });
  };
  new MutationObserver(improve).observe(document.documentElement, { childList: true, subtree: true });
  improve();
})();
