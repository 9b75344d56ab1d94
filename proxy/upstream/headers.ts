/** Headers of an upstream's answer. */

/** Names in lower case; each line of a repeated header is its own value. */
export type UpstreamHeaders = ReadonlyMap<string, readonly string[]>;

/** The values of a header joined as RFC 9110 §5.3 joins them, or undefined. */
export function headerOf(headers: UpstreamHeaders, name: string): string | undefined {
  return headers.get(name)?.join(', ');
}

/** Anything but printable ASCII becomes a question mark: what a client is told of it must fit into a header again. */
export function toHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): UpstreamHeaders {
  const map = new Map<string, readonly string[]>();
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue;
    const lines = typeof value === 'string' ? [value] : value;
    map.set(
      name.toLowerCase(),
      lines.map((line) => line.replace(/[^\t\x20-\x7e]/g, '?')),
    );
  }
  return map;
}
