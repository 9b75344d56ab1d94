/**
 * Detects requests that come from another web page. A page whose name resolves to this address (DNS rebinding) can read the
 * admin port through the browser of a person who can reach it; only the Host header shows that. Pure.
 */
import { isIP } from 'node:net';

export type AskedBy = {
  /** Every Host header there is. */
  readonly hosts: readonly string[];
  readonly origin: string | undefined;
  /** Fetch Metadata, which browsers send where they trust the address. */
  readonly site: string | undefined;
  readonly mode: string | undefined;
  readonly dest: string | undefined;
};

export type AskedFault = { readonly status: 400 | 403 | 421; readonly message: string };

/** @param names host names that the operator listed, in lower case. */
export function judgeAskedBy(
  { hosts, origin, site, mode, dest }: AskedBy,
  names: readonly string[],
): AskedFault | undefined {
  const [host] = hosts;
  if (hosts.length > 1) return { status: 400, message: 'exactly one Host header is required' };
  // Without one it is HTTP/1.0, as health checks of balancers send; no browser does.
  if (host !== undefined && !isOurs(host, names)) return { status: 421, message: toSentence(host) };
  // Browsers leave it out where a page asks its own server with GET.
  if (origin !== undefined && !isSame(origin, host)) return FROM_ELSEWHERE;
  const isElsewhere = site === 'cross-site' || site === 'same-site';
  // A followed link shows the page to the person who followed it, and nothing to the page it stood on.
  const isFollowed = mode === 'navigate' && dest === 'document';
  return isElsewhere && !isFollowed ? FROM_ELSEWHERE : undefined;
}

const FROM_ELSEWHERE: AskedFault = {
  status: 403,
  message: 'requests by other web pages are refused; open the admin port directly',
};

/** An address is never what rebinding changes: a page at an address was served by that address. */
function isOurs(host: string, names: readonly string[]): boolean {
  const name = toName(host);
  return name === 'localhost' || isIP(name.replace(/^\[|\]$/g, '')) !== 0 || names.includes(name);
}

/** Without port and the dot at the end, in lower case. */
function toName(host: string): string {
  return host
    .toLowerCase()
    .replace(/:[0-9]*$/, '')
    .replace(/\.$/, '');
}

/** A proxy in front may end TLS, so the scheme is not compared. */
function isSame(origin: string, host: string | undefined): boolean {
  const bare = origin.toLowerCase().replace(/^https?:\/\//, '');
  return bare !== origin.toLowerCase() && bare === host?.toLowerCase();
}

function toSentence(host: string): string {
  const name = toName(host)
    .replace(/[^a-z0-9._-]/g, '?')
    .slice(0, 253);
  return `the admin port does not answer to the host name "${name}"; use its IP address, or add the name to admin.hosts`;
}
