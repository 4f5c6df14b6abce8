// The app changes its page without loading one, of which a screen reader hears nothing: so the new title is said.
(() => {
  if (window.fcAnnounce) return;
  window.fcAnnounce = true;
  const said = document.createElement("div");
  said.className = "fc-said";
  said.setAttribute("role", "status");
  document.body.append(said);
  let title = document.title;
  new MutationObserver(() => {
    if (document.title !== title) said.textContent = title = document.title;
  }).observe(document.head, {subtree: true, childList: true, characterData: true});
})();
