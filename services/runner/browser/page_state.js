// What every look at a page begins with; the fields are those of PageState in page.py.
const pageState = () => {
  const navigation = performance.getEntriesByType("navigation")[0];
  // WebKit shows nothing at all when a page can't be loaded; a window that a page opened begins like that as well.
  const nothing = window === window.top && location.href === "about:blank" && !window.opener;
  const errorPage = nothing || location.protocol === "chrome-error:" || location.href.startsWith("about:neterror") || location.href.startsWith("about:certerror");
  const text = document.body ? document.body.innerText || "" : "";
  return {
    url: location.href,
    status: (navigation && navigation.responseStatus) || 0,
    complete: document.readyState !== "loading",
    error_page: errorPage,
    // Of a frame the network log tells no error, so none is to be waited for.
    error_code: nothing ? "ERR_NOT_TOLD" : errorPage ? ((text.match(/ERR_[A-Z0-9_]+/) || [window === window.top ? "" : "ERR_FAILED"])[0]) : "",
    text_length: text.length,
  };
};
