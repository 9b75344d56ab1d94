/** One file by itself: who may check it in which thread, and what it proves (check-file.ts). */
import { describe, expect, test } from '@jest/globals';
import { createKeyPair } from '../../proxy/demo/notary/signing-key.ts';
import { createCertificateDer, toPem } from '../../proxy/demo/notary/x509-writer.ts';
import {
  checkAtOnce,
  checkFile,
  checkWithin,
  type FileCheck,
  toTrustError,
} from '../../proxy/trust-client/check-file.ts';
import { TrustError } from '../../proxy/trust-client/errors.ts';
import { toPublicKey } from '../../proxy/trust-client/keys.ts';
import { parseEnvelope, parseRoot } from '../../proxy/trust-client/metadata.ts';
import { createWorld, DAY_MS, fileOf, GUN, NOW, refusal } from './kit.ts';

const world = createWorld();
const { roles } = parseRoot(parseEnvelope(fileOf(world, 'root'), 'root'));
const TIMESTAMP: FileCheck<'timestamp'> = {
  kind: 'timestamp',
  role: 'timestamp',
  bytes: fileOf(world, 'timestamp'),
  keys: roles.timestamp,
  meta: undefined,
};

test('a file is checked where no more signatures than allowed would be tried', () => {
  const checked = checkFile(TIMESTAMP);
  expect(checked.signers).toEqual(roles.timestamp.keys.map(({ id }) => id));
  expect(checkWithin(TIMESTAMP, 1)).toEqual(checked);
  expect(checkWithin(TIMESTAMP, 0)).toBeUndefined();
});

test('a remembered file is read for what it lists, and nobody signs for it', () => {
  const keys = { keys: [], threshold: 1 };
  const remembered = checkFile({
    kind: 'remembered',
    role: 'targets',
    bytes: fileOf(world, 'targets'),
    keys,
    meta: undefined,
  });
  expect([remembered.signers, remembered.metadata.targets.size]).toEqual([[], 1]);
});

describe('a check in this thread', () => {
  test('gives everything else its turn, also when the file is refused', async () => {
    for (const check of [TIMESTAMP, { ...TIMESTAMP, bytes: Buffer.from('{}') }]) {
      let turned = false;
      setImmediate(() => {
        turned = true;
      });
      await checkAtOnce(GUN, check, undefined).catch(() => undefined);
      expect(turned).toBe(true);
    }
  });

  test('ends when time ran out meanwhile, whatever the file is', async () => {
    for (const check of [TIMESTAMP, { ...TIMESTAMP, bytes: Buffer.from('{}') }]) {
      const deadline = new AbortController();
      const checking = checkAtOnce(GUN, check, deadline.signal);
      deadline.abort();
      await refusal(checking, 'deadline_exceeded', 'deadline');
    }
  });
});

describe('a weak certificate among the keys', () => {
  const pair = createKeyPair();
  const pem = toPem(
    'CERTIFICATE',
    createCertificateDer({
      commonName: GUN,
      publicKey: pair.publicKey,
      signer: pair.privateKey,
      notBefore: NOW,
      notAfter: new Date(NOW.getTime() + DAY_MS),
      hash: 'sha1',
    }),
  );
  const withKey = (keytype: string) => ({
    ...roles.timestamp,
    keys: [...roles.timestamp.keys, toPublicKey(keytype, Buffer.from(pem))],
  });

  test('refuses a delegation, and no other role', () => {
    const check = { ...TIMESTAMP, keys: withKey('ecdsa-x509') };
    expect(checkFile(check).signers).toHaveLength(1);
    expect(() => checkFile({ ...check, role: 'targets/qa' })).toThrow('uses SHA-1 or too short a key');
  });

  test('is none where the key is not of a type that has one', () => {
    expect(checkFile({ ...TIMESTAMP, role: 'targets/qa', keys: withKey('ecdsa') }).signers).toHaveLength(1);
  });
});

test('whatever is thrown over a file is the fault of the file, in one line', () => {
  const known = new TrustError('metadata_invalid', 'threshold', 'x');
  expect(toTrustError(known, 'targets')).toBe(known);
  const error = new RangeError('first\nsecond');
  expect(toTrustError(error, 'targets')).toMatchObject({
    code: 'metadata_invalid',
    fault: 'format',
    role: 'targets',
    message: 'targets cannot be verified: RangeError: first',
    cause: error,
  });
});
