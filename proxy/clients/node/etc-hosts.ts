/** /etc/hosts: a fixed address of a registry goes past a DNS override (registry-clients.md §1.5 row C). */
import { isIP } from 'node:net';
import type { Hole, Scene } from './types.ts';

const FILE = '/etc/hosts';

type Entry = { readonly address: string; readonly names: readonly string[]; readonly line: number };

export function examineEtcHosts({ files, lock }: Scene): readonly Hole[] {
  const entries = parse(files.read(FILE) ?? '');
  const { host } = lock.proxy;
  const own = new Set([
    host,
    ...entries.filter(({ names }) => names.includes(host)).map(({ address }) => address),
  ]);
  const registries = new Set([...lock.blocked.names, ...lock.names]);
  return entries
    .filter(({ address }) => !own.has(address) && !isNowhere(address))
    .flatMap(({ address, names, line }) =>
      names
        .filter((name) => registries.has(name) && name !== host)
        .map((name) => ({
          file: FILE,
          line,
          client: 'hosts',
          open: `${name} has the fixed address ${address}, regardless of DNS`,
          write: `remove it, or write the address of the proxy`,
        })),
    );
}

function parse(text: string): readonly Entry[] {
  return text.split('\n').flatMap((line, at) => {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().toLowerCase().split(/\s+/);
    return isIP(address) === 0 ? [] : [{ address, names, line: at + 1 }];
  });
}

/** The unspecified address and this machine: how a name is blocked. */
function isNowhere(address: string): boolean {
  return /^(?:0\.0\.0\.0|127\..*|::1?)$/.test(address);
}
