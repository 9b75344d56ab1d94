/** Addresses of upstream registries and trust servers. */
import { isRegistry } from '../names/reference.ts';

/** What an address should be, to be read after "must be", and the next step. */
type AddressFault = { readonly wanted: string; readonly next: string };

const PATH = /^(?:\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$/;

/**
 * What is wrong with an address of the form `http[s]://host[:port][/path]`.
 *
 * @param example an address of that form to show.
 * @returns undefined when nothing is.
 */
export function addressFault(address: string, example: string): AddressFault | undefined {
  const [, rest] = /^https?:\/\/(.*)$/s.exec(address) ?? [];
  const next = `write one such as ${example}`;
  if (rest === undefined) return { wanted: 'an address with http:// or https://', next };
  if (rest.includes('@'))
    return {
      wanted: 'an address without credentials',
      next: 'move them to auth: { username, passwordFile }',
    };
  if (/[?#]/.test(rest)) return { wanted: 'an address without a query or fragment', next };
  const path = rest.includes('/') ? rest.slice(rest.indexOf('/')) : '';
  const host = rest.slice(0, rest.length - path.length);
  if (!isRegistry(host)) return { wanted: 'an address with a host name in lower case', next };
  if (Number(/:([0-9]+)$/.exec(host)?.[1] ?? '1') > 65_535)
    return { wanted: 'an address with a port up to 65535', next };
  return PATH.test(trimSlash(path)) ? undefined : { wanted: 'an address with a plain path', next };
}

/** An address has no slash at its end: `/v2/...` or `/_trust/tuf/...` is put after it. */
export function trimSlash(address: string): string {
  return address.endsWith('/') ? address.slice(0, -1) : address;
}
