/** One file by itself: who may check it in which thread, and what it proves (check-file.ts). */
import { expect, test } from '@jest/globals';
import { checkFile, checkWithin, type FileCheck, toTrustError } from '../../proxy/trust-client/check-file.ts';
import { TrustError } from '../../proxy/trust-client/errors.ts';
import { parseEnvelope, parseRoot } from '../../proxy/trust-client/metadata.ts';
import { createWorld, fileOf } from './kit.ts';

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
