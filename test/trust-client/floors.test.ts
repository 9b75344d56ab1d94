/** When a version that was verified before still counts, by whose keys are left (floors.ts). */
import { describe, expect, test } from '@jest/globals';
import { TrustError } from '../../proxy/trust-client/errors.ts';
import { floorInForce, raiseFloor, requireNotOlder } from '../../proxy/trust-client/floors.ts';
import { identityOf, type PublicKey } from '../../proxy/trust-client/keys.ts';
import { LIMITS } from '../../proxy/trust-client/limits.ts';
import type { Role } from '../../proxy/trust-client/signatures.ts';
import type { RoleRecord } from '../../proxy/trust-client/types.ts';

const keyOf = (id: string, more: Partial<PublicKey> = {}): PublicKey => ({
  id,
  canonicalId: id,
  keytype: 'ed25519',
  algorithm: 'ed25519',
  bytes: new Uint8Array(),
  pair: `pair of ${id}`,
  ...more,
});
const [A, B, C] = [keyOf('a'), keyOf('b'), keyOf('c')] as const;
const role = (threshold: number, ...keys: PublicKey[]): Role => ({ keys, threshold });
const floor = (version: number, signers: string[], more: Partial<RoleRecord> = {}): RoleRecord => ({
  version,
  sha256: `file ${version}`,
  signers,
  ...more,
});

describe('a floor counts', () => {
  test('while enough of those who set it are left', () => {
    const set = floor(5, ['a', 'b'], { threshold: 2 });
    expect(floorInForce(set, role(2, A, B, C))).toBe(set);
    expect(floorInForce(set, role(2, A, C))).toBeUndefined();
    expect(floorInForce(set, role(1, A, C))).toBe(set);
    expect(floorInForce(set, role(1, C))).toBeUndefined();
  });

  test('as by its own threshold, when the role asks for more now', () => {
    expect(floorInForce(floor(5, ['a'], { threshold: 1 }), role(2, A, B))?.version).toBe(5);
    expect(floorInForce(floor(5, ['a']), role(2, A, B))?.version).toBe(5);
    expect(floorInForce(floor(5, ['a', 'b'], { threshold: 2 }), role(3, A, C, keyOf('d')))).toBeUndefined();
  });

  test('for a key in another encoding, and as one key for two encodings of it', () => {
    const again = keyOf('a2', { pair: A.pair });
    expect(floorInForce(floor(5, ['a', identityOf(A)]), role(1, again))?.version).toBe(5);
    expect(floorInForce(floor(5, ['a', 'a2'], { threshold: 2 }), role(2, A, again))).toBeUndefined();
  });

  test('not for a key of a type it does not have', () => {
    expect(floorInForce(floor(5, ['a']), role(1, keyOf('a', { algorithm: 'unknown' })))).toBeUndefined();
  });

  test('or an earlier one does, the highest of those whose signers are left', () => {
    const earlier = [floor(7, ['b']), floor(6, ['c']), floor(5, ['c'])];
    expect(floorInForce(floor(8, ['a'], { earlier }), role(1, C))?.version).toBe(6);
    expect(floorInForce(floor(8, ['a'], { earlier }), role(1, A, C))?.version).toBe(8);
    expect(floorInForce(floor(8, ['a'], { earlier }), role(1, keyOf('d')))).toBeUndefined();
  });
});

describe('beside the version that was verified', () => {
  const seen = { version: 5, sha256: 'bytes', content: 'content' };
  const judge = (role: string, file: Partial<typeof seen>): string => {
    try {
      requireNotOlder(role, { ...seen, ...file }, seen);
      return 'taken';
    } catch (error) {
      return error instanceof TrustError ? `${error.fault}${error.isLag ? ', a lag' : ''}` : 'another error';
    }
  };
  const [other, signedAgain] = [{ sha256: 'b', content: 'c' }, { sha256: 'b' }];

  test.each([
    ['timestamp', 'rollback, a lag', 'rollback, a lag', 'rollback, a lag'],
    ['snapshot', 'rollback', 'taken', 'taken'],
    ['targets', 'rollback', 'rollback', 'taken'],
    ['targets/qa', 'rollback', 'rollback', 'taken'],
  ])('an older %s: %s; other content: %s; other signatures: %s', (name, ...expected) => {
    expect([{ version: 4 }, other, signedAgain].map((file) => judge(name, file))).toEqual(expected);
    expect([judge(name, {}), judge(name, { ...other, version: 6 })]).toEqual(['taken', 'taken']);
  });

  test('one whose content was not remembered may have any', () => {
    const { version, sha256 } = seen;
    expect(() => requireNotOlder('targets', { ...seen, ...other }, { version, sha256 })).not.toThrow();
  });

  test('other content is told as that', () => {
    expect(() => requireNotOlder('targets', { ...seen, ...other }, seen)).toThrow(
      'targets version 5 was seen with other content',
    );
  });
});

describe('what is remembered after a file was verified', () => {
  const everybody = role(1, A, B, C);

  test('is that file', () => {
    const file = floor(1, ['a']);
    expect(raiseFloor(undefined, file, everybody)).toBe(file);
    expect(raiseFloor(floor(1, ['a']), floor(2, ['a', 'b']), everybody)).toEqual(floor(2, ['a', 'b']));
  });

  test('and what others signed before, who hold the role', () => {
    const raised = raiseFloor(floor(1, ['a', 'b']), floor(2, ['a']), everybody);
    expect(raised).toEqual(floor(2, ['a'], { earlier: [floor(1, ['a', 'b'])] }));
    expect(raiseFloor(raised, floor(3, ['c']), everybody)).toEqual(
      floor(3, ['c'], { earlier: [floor(2, ['a']), floor(1, ['a', 'b'])] }),
    );
    expect(raiseFloor(raised, floor(3, ['a', 'b']), everybody)).toEqual(floor(3, ['a', 'b']));
  });

  test('and what others signed under the same version', () => {
    expect(raiseFloor(floor(2, ['b']), floor(2, ['a']), everybody)).toEqual(
      floor(2, ['a'], { earlier: [floor(2, ['b'])] }),
    );
  });

  test('and by those who lost it and may be given it back, but nothing that the file is below', () => {
    const raised = raiseFloor(floor(1, ['b']), floor(2, ['a']), role(1, A, C));
    expect(raised).toEqual(floor(2, ['a'], { earlier: [floor(1, ['b'])] }));
    expect(raiseFloor(floor(3, ['b']), floor(2, ['a']), role(1, A, C))).toEqual(floor(2, ['a']));
  });

  test('and what asked for fewer signatures, which may count longer', () => {
    const [two, one] = [{ threshold: 2 }, { threshold: 1 }];
    const higher = floor(2, ['a', 'b'], two);
    expect(raiseFloor(floor(1, ['a', 'b'], one), higher, everybody).earlier).toHaveLength(1);
    expect(raiseFloor(floor(1, ['a', 'b']), higher, everybody).earlier).toHaveLength(1);
    expect(raiseFloor(floor(1, ['a', 'b'], two), higher, everybody).earlier).toBeUndefined();
    expect(raiseFloor(floor(1, ['a'], two), floor(2, ['a']), role(1, A)).earlier).toBeUndefined();
  });

  test('as many as there may be, the highest ones', () => {
    const keys = Array.from({ length: LIMITS.earlierFloors + 3 }, (_, at) => keyOf(`k${at}`));
    const last = keys.reduce<RoleRecord | undefined>(
      (before, { id }, at) => raiseFloor(before, floor(at + 1, [id]), role(1, ...keys)),
      undefined,
    );
    const versions = last?.earlier?.map(({ version }) => version);
    expect(versions).toEqual(Array.from({ length: LIMITS.earlierFloors }, (_, at) => keys.length - 1 - at));
  });

  test('those that may count today before those that may not', () => {
    const left = Array.from({ length: LIMITS.earlierFloors + 3 }, (_, at) => floor(at + 2, [`k${at}`]));
    const before = floor(100, ['b'], { earlier: [...left.reverse(), floor(1, ['c'])] });
    const { earlier = [] } = raiseFloor(before, floor(101, ['a']), role(1, A, B, C));
    expect(earlier).toHaveLength(LIMITS.earlierFloors);
    expect([earlier[0]?.version, earlier.at(-1)?.version]).toEqual([100, 1]);
  });
});
