/** A replica that is behind, told from a forgery by the root its snapshot names (behind-root.ts). */
import { describe, expect, test } from '@jest/globals';
import { asLag, goesWith, isBehind, stillBehind } from '../../proxy/trust-client/behind-root.ts';
import { sha256Hex } from '../../proxy/trust-client/encoding.ts';
import { TrustError } from '../../proxy/trust-client/errors.ts';
import type { RootFile } from '../../proxy/trust-client/root-trust.ts';
import type { StoredTrust } from '../../proxy/trust-client/types.ts';
import { createWorld, fileOf } from './kit.ts';
import { withLimits } from './lowered-limits.ts';

const world = createWorld();
const SNAPSHOT = fileOf(world, 'snapshot');
const rootOf = (bytes: Uint8Array) =>
  ({ bytes, sha256: sha256Hex(bytes), metadata: { version: 7 } }) as unknown as RootFile;
const ROOT = rootOf(fileOf(world, 'root'));
const ANOTHER = rootOf(new TextEncoder().encode('another'));

const stored = (more: Partial<StoredTrust> = {}): StoredTrust => ({
  roots: [],
  files: new Map(),
  floors: new Map(),
  ...more,
});

test('a snapshot goes with the root it names', () => {
  expect([goesWith(SNAPSHOT, ROOT), goesWith(SNAPSHOT, ANOTHER)]).toEqual([true, false]);
});

test('one that is too long to be read by nobody’s word goes with any', () => {
  const readUpTo = (unsignedSnapshotBytes: number) =>
    withLimits({ unsignedSnapshotBytes }, () => goesWith(SNAPSHOT, ANOTHER));
  expect([readUpTo(SNAPSHOT.length), readUpTo(SNAPSHOT.length - 1)]).toEqual([false, true]);
});

test('one that cannot be read speaks for itself', () => {
  expect(() => goesWith(new TextEncoder().encode('{}'), ROOT)).toThrow(
    expect.objectContaining({ name: 'TrustError', role: 'snapshot' }),
  );
});

test('what is remembered is behind when its snapshot names another root, or there is none yet', () => {
  const files = new Map([['snapshot', SNAPSHOT]]);
  const roots = [ROOT.bytes];
  expect([
    isBehind(stored(), ROOT),
    isBehind(stored({ roots }), ROOT),
    isBehind(stored({ roots, files }), ROOT),
    isBehind(stored({ roots, files }), ANOTHER),
  ]).toEqual([false, true, false, true]);
});

describe('a refusal', () => {
  const refusal = (role: string | undefined, fault: 'threshold' | 'rollback' = 'threshold') =>
    new TrustError('metadata_invalid', fault, 'why', role === undefined ? {} : { role });

  test('becomes a lag, and says the same', () => {
    for (const role of ['timestamp', undefined]) {
      const error = refusal(role);
      expect(asLag(error)).toMatchObject({
        code: 'metadata_invalid',
        fault: 'threshold',
        message: 'why',
        role,
        cause: error,
        isLag: true,
      });
    }
  });

  const TIMESTAMP = new TextEncoder().encode('timestamp');
  const known = stored({
    floors: new Map([['timestamp', { version: 1, sha256: sha256Hex(TIMESTAMP), signers: [] }]]),
  });
  const OUTAGE = {
    code: 'trust_unreachable',
    message:
      'beside root version 7 the trust server shows only files from before it (why); ask again when all its replicas have the new ones',
    isLag: true,
  };

  test.each([
    ['a snapshot', 'snapshot', 'threshold', TIMESTAMP],
    ['a snapshot beside a new timestamp', 'snapshot', 'threshold', undefined],
    ['another fault', 'timestamp', 'rollback', undefined],
    ['a timestamp that was verified before', 'timestamp', 'threshold', TIMESTAMP],
    ['no file in particular', undefined, 'rollback', undefined],
  ] as const)('over %s is an outage', (_name, role, fault, timestamp) => {
    const error = refusal(role, fault);
    expect(stillBehind(known, ROOT, error, timestamp)).toMatchObject({
      ...OUTAGE,
      role,
      fault,
      cause: error,
    });
  });

  test.each([
    ['new', known, new TextEncoder().encode('new')],
    ['not there', known, undefined],
    ['the first one', stored(), TIMESTAMP],
  ] as const)('over a timestamp that is %s, and that too few signed, stands', (_name, before, timestamp) => {
    const error = refusal('timestamp');
    expect(stillBehind(before, ROOT, error, timestamp)).toBe(error);
  });
});
