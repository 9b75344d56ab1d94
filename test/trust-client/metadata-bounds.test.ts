/**
 * How much a file may hold, exactly at each bound and one above it, and what a key may be called (limits.ts,
 * notary-semantics.md §4.3).
 */
import { describe, expect, test } from '@jest/globals';
import { LIMITS } from '../../proxy/trust-client/limits.ts';
import { isDelegationName } from '../../proxy/trust-client/metadata.ts';
import { withLimits } from './lowered-limits.ts';
import { at, KINDS, type Kind, parse, plainFile, plainKey } from './plain-files.ts';

/** Fills one member of a file with so many entries. */
type Fill = (count: number) => unknown;

const times =
  (entry: (index: number) => unknown): Fill =>
  (count) =>
    Array.from({ length: count }, (_, index) => entry(index));

const keys: Fill = (count) => {
  const { id, key } = plainKey(7);
  const others = Array.from({ length: count - 1 }, (_, index) => [`${index}`, key] as const);
  return Object.fromEntries([[id, key], ...others]);
};

describe('as many as the bound are read, one more is refused', () => {
  const { id } = plainKey(7);

  test.each<[what: string, kind: Kind, path: string, name: string, most: number, fill: Fill]>([
    [
      'signatures',
      'timestamp',
      '',
      'signatures',
      LIMITS.signatures,
      times(() => ({ keyid: id, method: 'eddsa', sig: '' })),
    ],
    ['keys of a root', 'root', 'signed', 'keys', LIMITS.keys, keys],
    ['key IDs of a role', 'root', 'signed.roles.targets', 'keyids', LIMITS.keys, times(() => id)],
    ['keys of delegations', 'targets', 'signed.delegations', 'keys', LIMITS.keys, keys],
    [
      'delegations',
      'targets',
      'signed.delegations',
      'roles',
      LIMITS.delegations,
      times((index) => ({ keyids: [id], name: `targets/${index}`, threshold: 1 })),
    ],
    [
      'paths of a delegation',
      'targets',
      'signed.delegations.roles.0',
      'paths',
      LIMITS.paths,
      times((index) => `${index}`),
    ],
  ])('%s', (_what, kind, path, name, most, fill) => {
    const fileWith = (count: number) => {
      const file = plainFile(kind);
      at(file, path)[name] = fill(count);
      return file;
    };
    expect(parse(kind, fileWith(most))).toBeDefined();
    expect(() => parse(kind, fileWith(most + 1))).toThrow(
      expect.objectContaining({ code: 'metadata_invalid', fault: 'size', role: kind }),
    );
  });
});

describe('a bound that only a large file meets, lowered to a few', () => {
  const second = plainKey(8);
  const delegation = (index: number) => ({
    keyids: [plainKey(7).id, second.id],
    name: `targets/d${index}`,
    paths: ['ab', 'cde'],
    threshold: 1,
  });
  const delegating = () => {
    const file = plainFile('targets');
    at(file, 'signed.delegations.keys')[second.id] = second.key;
    at(file, 'signed.delegations')['roles'] = [delegation(1), delegation(2)];
    return file;
  };
  const snapshot = () => plainFile('snapshot');
  const KEY_BYTES = 'ed25519'.length + 44;

  test.each<[what: keyof typeof LIMITS, kind: Kind, file: () => ReturnType<typeof plainFile>, most: number]>([
    ['snapshotNames', 'snapshot', snapshot, 3],
    ['keys', 'targets', delegating, 2],
    ['keyBytes', 'targets', delegating, 2 * KEY_BYTES],
    ['delegations', 'targets', delegating, 2],
    ['paths', 'targets', delegating, 2],
    ['pathCharacters', 'targets', delegating, 3],
    ['keyReferences', 'targets', delegating, 4],
    ['pathsOfFile', 'targets', delegating, 4],
  ])('of as much as %s (%s) is read, and refused above it', (limit, kind, file, most) => {
    const content = file();
    expect(withLimits({ [limit]: most }, () => parse(kind, content))).toBeDefined();
    expect(() => withLimits({ [limit]: most - 1 }, () => parse(kind, content))).toThrow(
      expect.objectContaining({ fault: 'size', role: kind }),
    );
  });
});

test('the name of a delegation has at most 255 characters', () => {
  const prefix = 'targets/';
  expect(isDelegationName(prefix + 'a'.repeat(255 - prefix.length))).toBe(true);
  expect(isDelegationName(prefix + 'a'.repeat(256 - prefix.length))).toBe(false);
});

test('a delegation that is declared twice is refused', () => {
  const file = plainFile('targets');
  const delegations = at(file, 'signed.delegations');
  const [declared] = delegations['roles'] as readonly unknown[];
  delegations['roles'] = [declared, declared];
  expect(() => parse('targets', file)).toThrow(expect.objectContaining({ fault: 'format' }));
});

describe('a key that is listed under the ID of another could stand for it (notary-semantics.md §4.3)', () => {
  const stranger = plainKey(8);
  const refused = expect.objectContaining({ code: 'metadata_invalid', fault: 'key_mismatch' });

  test.each(KINDS.filter((name) => name !== 'root'))('in the %s role', (name) => {
    const file = plainFile('root');
    at(file, 'signed.keys')['0'.repeat(64)] = stranger.key;
    at(file, `signed.roles.${name}`)['keyids'] = ['0'.repeat(64)];
    expect(() => parse('root', file)).toThrow(refused);
  });

  test('in a delegation', () => {
    const file = plainFile('targets');
    at(file, 'signed.delegations.keys')['0'.repeat(64)] = stranger.key;
    at(file, 'signed.delegations.roles.0')['keyids'] = ['0'.repeat(64)];
    expect(() => parse('targets', file)).toThrow(refused);
  });

  test('in the root role it is read: there IDs are rebuilt from the certificates (notary-semantics.md §4.4)', () => {
    const file = plainFile('root');
    at(file, 'signed.keys')['0'.repeat(64)] = stranger.key;
    at(file, 'signed.roles.root')['keyids'] = ['0'.repeat(64)];
    expect(parse('root', file).roles.root.keys).toMatchObject([{ id: stranger.id }]);
  });

  test('under its own ID it is read everywhere', () => {
    const file = plainFile('root');
    at(file, 'signed.keys')[stranger.id] = stranger.key;
    at(file, 'signed.roles.targets')['keyids'] = [stranger.id, stranger.id];
    expect(parse('root', file).roles.targets).toMatchObject({ threshold: 1, keys: [{ id: stranger.id }] });
  });
});
