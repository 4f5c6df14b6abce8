// The app changes its page without loading one, of which a screen reader hears nothing: so the new title is said, once it
// stays, for while a page is drawn it has others.
(() => {
  if (window.fcAnnounce) return;
  window.fcAnnounce = true;
  const STAYS_MS = 500;
  const region = document.createElement("div");
  region.className = "fc-said";
  region.setAttribute("role", "status");
  document.body.append(region);
  let said = "", timer;
  const say = () => {
    const title = document.title;
    if (title !== said && said) region.textContent = title; // the first one came with a page that was loaded
    region.dataset.title = said = title;
  };
  const wait = () => { clearTimeout(timer); timer = setTimeout(say, STAYS_MS); };
  new MutationObserver(wait).observe(document.head, {subtree: true, childList: true, characterData: true});
  wait();
})();
