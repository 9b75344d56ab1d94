/** Addresses of upstream registries and trust servers. */
import { isRegistry } from '../names/reference.ts';

const PATH = /^(?:\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$/;

/**
 * What is wrong with an address of the form `http[s]://host[:port][/path]`, as `what it should be; next step`.
 *
 * @param example an address of that form to show.
 * @returns undefined when nothing is.
 */
export function addressFault(address: string, example: string): string | undefined {
  const [, rest] = /^https?:\/\/(.*)$/s.exec(address) ?? [];
  const good = `write one such as ${example}`;
  if (rest === undefined) return `an address with http:// or https://; ${good}`;
  if (rest.includes('@'))
    return 'an address without credentials; move them to auth: { username, passwordFile }';
  if (/[?#]/.test(rest)) return `an address without query and fragment; ${good}`;
  const path = rest.includes('/') ? rest.slice(rest.indexOf('/')) : '';
  const host = rest.slice(0, rest.length - path.length);
  if (!isRegistry(host)) return `an address with a host name in lower case; ${good}`;
  if (Number(/:([0-9]+)$/.exec(host)?.[1] ?? '1') > 65_535)
    return `an address with a port up to 65535; ${good}`;
  return PATH.test(trimSlash(path)) ? undefined : `an address with a plain path; ${good}`;
}

/** An address has no slash at its end: `/v2/...` or `/_trust/tuf/...` is put after it. */
export function trimSlash(address: string): string {
  return address.endsWith('/') ? address.slice(0, -1) : address;
}
