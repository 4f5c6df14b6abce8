// While a run redraws the page, parts of it are gone for a moment, and a page that was scrolled would jump. So it keeps its
// height until the run has ended and what it brought is drawn.
(() => {
  if (window.fcSteady) return;
  window.fcSteady = true;
  const DRAWN_MS = 300;
  let release;
  const hold = () => {
    const block = document.querySelector('[data-testid="stMainBlockContainer"]');
    const isRunning = document.querySelector('[data-test-script-state="running"]');
    if (!block) return;
    clearTimeout(release);
    if (isRunning) block.style.minHeight = `${block.offsetHeight}px`;
    else release = setTimeout(() => (block.style.minHeight = ""), DRAWN_MS);
  };
  new MutationObserver(hold).observe(document.body, {subtree: true, attributeFilter: ["data-test-script-state"]});
})();
