/** The address of an upstream as configured: nothing in it but a host, a port and a path in front of ours. */

/** @throws TypeError for anything else. */
export function parseBaseUrl(text: string): URL {
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new TypeError('the upstream is neither http nor https');
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new TypeError('the upstream URL may hold a host, a port and a path, nothing else');
  }
  return url;
}
