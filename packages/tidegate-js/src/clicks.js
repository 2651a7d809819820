// What a visitor does with links and forms: outbound clicks, downloads, submissions. Reads no value of any field.

const FILES = /\.(pdf|xlsx?|docx?|pptx?|pps|key|txt|rtf|csv|exe|pkg|dmg|apk|zip|7z|rar|gz|avi|mov|mp4|mpe?g|wmv|midi?|mp3|wav|wma)$/i;

const bare = (host) => host.replace(/^www\./, "");
const within = (host, domain) => ("." + bare(host)).endsWith("." + bare(domain));

const isOwn = (host) => within(host, location.hostname) || within(location.hostname, host);

/** The link that an event came from, out of and into shadow roots. */
function linkOf(event) {
  const link = event.composedPath().find((node) => node.matches?.("a[href],area[href]"));
  return link && /^https?:$/.test(link.protocol) ? link : undefined;
}

/** Calls `told(name, properties)` for what the options ask for, and `crossing(link)` for links to the other domains. */
export function watchClicks(options, { guarded, told, crossing }) {
  const clicked = guarded((event) => {
    const link = linkOf(event);
    if (!link || (event.type === "auxclick" && event.button !== 1)) return;
    const { hostname, pathname } = link;
    const link_url = link.href.split("#")[0];
    const other = !isOwn(hostname) && options.domains.some((domain) => within(hostname, domain));
    if (other) crossing(link);
    if (FILES.test(pathname) || link.hasAttribute("download")) {
      const file_name = pathname.split("/").pop();
      if (options.downloads) told("file_download", { link_url, file_name, file_extension: FILES.exec(pathname)?.[1] });
    } else if (options.outbound && !other && !isOwn(hostname)) {
      told("click", { link_url, link_domain: hostname, outbound: true });
    }
  });

  const submitted = guarded(({ target: form }) => {
    // By attribute, for a field called "name" hides the form's own.
    const [form_id, form_name, action] = ["id", "name", "action"].map((name) => form.getAttribute(name) || undefined);
    const form_destination = new URL(action || "", location.href).href.split(/[?#]/)[0];
    told("form_submit", { form_id, form_name, form_destination });
  });

  addEventListener("click", clicked, true);
  addEventListener("auxclick", clicked, true);
  if (options.forms) addEventListener("submit", submitted, true);
}
