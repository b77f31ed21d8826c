// What every look at a page begins with; the fields are those of PageState in page.py.
const pageState = () => {
  const navigation = performance.getEntriesByType("navigation")[0];
  // WebKit shows nothing at all when a page can't be loaded; a window that a page opened begins like that as well.
  const nothing = window === window.top && location.href === "about:blank" && !window.opener;
  const errorPage = nothing || location.protocol === "chrome-error:" || location.href.startsWith("about:neterror") || location.href.startsWith("about:certerror");
  const text = document.body ? document.body.innerText || "" : "";
  // A page that says so leads on by itself, and is not the last one; once it should have, it is.
  const meta = document.querySelector("meta[http-equiv=refresh i]");
  const leads = meta && /^\s*(\d+)\s*[;,]\s*url\s*=\s*['"]?([^'"]+)/i.exec(meta.content);
  const leadsOn = Boolean(leads) && Number(leads[1]) <= 10 && performance.now() < 1000 * (Number(leads[1]) + 2) && !location.href.endsWith(leads[2].trim());
  return {
    url: location.href,
    status: (navigation && navigation.responseStatus) || 0,
    complete: document.readyState !== "loading" && !leadsOn,
    error_page: errorPage,
    // Of a frame the network log tells no error, so none is to be waited for.
    error_code: nothing ? "ERR_NOT_TOLD" : errorPage ? ((text.match(/ERR_[A-Z0-9_]+/) || [window === window.top ? "" : "ERR_FAILED"])[0]) : "",
    text_length: text.length,
  };
};
