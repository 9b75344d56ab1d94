/** Content its signer should not have signed, and some that he may. */
import type { Plain } from '../../../proxy/demo/notary/metadata-writer.ts';
import type { Corruption } from './types.ts';

const OVER_A_MIB = 1024 * 1024 + 1;

export const otherContent: readonly Corruption[] = [
  set('_type of another role', '_type', (value) => (value === 'Targets' ? 'Snapshot' : 'Targets')),
  set('_type in lower case', '_type', (value) => String(value).toLowerCase()),
  set('_type missing', '_type', () => undefined),
  set('Version beside version', 'Version', () => 1),
  set('expires with a long s beside expires', 'expire\u017f', () => '2099-01-01T00:00:00Z'),
  set('an unknown signed member', 'x-note', () => ({ by: 'somebody' })),
  set('a member named __proto__', '__proto__', () => ({ version: 1 })),
  set('a member named constructor', 'constructor', () => null),
  set('nested 30 levels deep', 'x-deep', () => nested(30)),
  set('a string of more than 1 MiB', 'x-long', () => 'a'.repeat(OVER_A_MIB)),
  set('version missing', 'version', () => undefined),
  set('version null', 'version', () => null),
  set('version as a string', 'version', (value) => String(value)),
  set('version 0', 'version', () => 0),
  set('version -1', 'version', () => -1),
  // Without the key it would be no change at all.
  { ...set('version equal to the last', 'version', (_, last) => last), attackers: ['keyHolder'] },
  set('version lower than the last', 'version', (_, last) => last - 1),
  set('version 2^31-1', 'version', () => 2 ** 31 - 1),
  set('expires missing', 'expires', () => undefined),
  set('expires null', 'expires', () => null),
  set('expires in words', 'expires', () => 'tomorrow'),
  set('expires without a time', 'expires', () => '2099-01-01'),
  set('expires on February 30th', 'expires', () => '2099-02-30T00:00:00Z'),
  set('expired a second ago', 'expires', (_value, _last, now) => new Date(now - 1000).toISOString()),
  set('expires this very moment', 'expires', (_value, _last, now) => new Date(now).toISOString()),
  set('expires in the year 9999', 'expires', () => '9999-12-31T23:59:59Z'),
  { ...set('no base role targets', 'roles', (value) => without(value, 'targets')), roles: ['root'] },
  { ...set('roles as an array', 'roles', () => []), roles: ['root'] },
  { ...set('meta missing', 'meta', () => undefined), roles: ['timestamp', 'snapshot'] },
  { ...set('targets missing', 'targets', () => undefined), roles: ['targets', 'targets/releases'] },
  { ...set('a target without hashes', 'targets', addTarget), roles: ['targets', 'targets/releases'] },
  {
    ...set('no sha256 for any target', 'targets', stripHashes),
    roles: ['targets', 'targets/releases'],
  },
  {
    ...set('a target named __proto__', 'targets', (value) =>
      withMember(value, '__proto__', { hashes: { sha256: `${'A'.repeat(43)}=` }, length: 1 }),
    ),
    roles: ['targets', 'targets/releases'],
  },
];

/** One member of `signed` gets another value; undefined takes it out. */
function set(
  name: string,
  member: string,
  to: (value: Plain, lastVersion: number, now: number) => Plain,
): Corruption {
  return {
    name,
    alters: 'itself',
    content: (signed, { repository, file }) => {
      const value = to(signed[member], repository.version(file), repository.clock().getTime());
      define(signed, member, value);
    },
  };
}

/** Defined, not assigned: `__proto__` must become a member like any other. */
function define(object: object, member: string, value: Plain): void {
  Object.defineProperty(object, member, { value, enumerable: true, configurable: true, writable: true });
}

function withMember(value: Plain, member: string, item: Plain): Plain {
  const copy = { ...(value as Record<string, Plain>) };
  define(copy, member, item);
  return copy;
}

function without(value: Plain, member: string): Plain {
  return withMember(value, member, undefined);
}

function addTarget(value: Plain): Plain {
  return withMember(value, 'x', { length: 1 });
}

function stripHashes(value: Plain): Plain {
  const targets = value as Record<string, { readonly length: number }>;
  return Object.fromEntries(
    Object.entries(targets).map(([name, { length }]) => [name, { hashes: {}, length }]),
  );
}

function nested(levels: number): Plain {
  let value: Plain = 'deep';
  for (let level = 0; level < levels; level += 1) value = [value];
  return value;
}
