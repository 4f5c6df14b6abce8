// Links of our own markup open their page within the app, as the links of its menu do: the browser keeps what it has
// loaded and the session goes on, so that the page is there several times sooner than at a new address. Without this
// script, in a new tab and by the keyboard's own shortcuts each link is an ordinary one.
(() => {
  if (window.fcLinks) return;
  window.fcLinks = true;
  document.addEventListener("click", (click) => {
    const link = click.target.closest?.(".fc a[href]");
    const isPlain = click.button === 0 && !(click.metaKey || click.ctrlKey || click.shiftKey || click.altKey);
    const isConnected = document.querySelector('[data-test-connection-state="CONNECTED"]');
    if (!link || !isPlain || !isConnected || click.defaultPrevented) return;
    if (link.origin !== location.origin || link.target || link.hash || link.hasAttribute("download")) return;
    click.preventDefault();
    if (link.href === location.href) return;
    history.pushState(null, "", link.href);
    // As if the viewer had come back to the page, which the app follows by itself.
    window.dispatchEvent(new PopStateEvent("popstate"));
    const main = document.querySelector('[data-testid="stMain"]');
    main?.scrollTo(0, 0);
    main?.focus({preventScroll: true}); // or the keyboard would begin with the menu again
  });
})();
