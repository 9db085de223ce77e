/** The address of a bundle, and where a server may send on to. */
import { BundleFetchError } from "./errors.ts";

/** @throws BundleFetchError (INVALID_SOURCE) */
export function bundleAddress(text: string): URL {
  const url = URL.parse(text);
  if (url === null) throw new BundleFetchError("INVALID_SOURCE", "the bundle's url is no URL");
  if (url.protocol !== "https:")
    throw new BundleFetchError(
      "INVALID_SOURCE",
      `the bundle's url begins with ${url.protocol}//; only https:// is fetched`,
    );
  if (url.username !== "" || url.password !== "")
    throw new BundleFetchError(
      "INVALID_SOURCE",
      "the bundle's url has a user or password in it: give a token or client certificate instead",
    );
  url.hash = "";
  return url;
}

/** Without the query, which may hold a signature of the server's. */
export function shownAddress(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

/** Where to go on: the same server only, as credentials go along. @throws BundleFetchError (REDIRECT_REFUSED) */
export function redirected(from: URL, location: string | undefined): URL {
  const to = location === undefined ? null : URL.parse(location, from.href);
  if (to === null || to.origin !== from.origin || to.username !== "" || to.password !== "")
    throw new BundleFetchError(
      "REDIRECT_REFUSED",
      `${shownAddress(from)} sends on to ${to === null ? "nowhere" : to.origin}; only the same host over https is followed: give the final address`,
    );
  to.hash = "";
  return to;
}
