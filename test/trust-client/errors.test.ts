/** What is known of a refusal besides its text. */
import { expect, test } from '@jest/globals';
import { invalid, TRUST_CAUSES, TrustError } from '../../proxy/trust-client/errors.ts';

test('an error says its name, and what caused it only where something did', () => {
  const cause = new Error('x');
  const error = invalid('format', 'targets', 'y', cause);
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({
    name: 'TrustError',
    code: 'metadata_invalid',
    fault: 'format',
    role: 'targets',
  });
  expect(error.cause).toBe(cause);
  expect('cause' in new TrustError('no_trust_data', 'absent', 'z')).toBe(false);
});

test('what is remembered of an error is what decides, and neither causes nor stacks', () => {
  const error = new TrustError('metadata_invalid', 'rollback', 'y', {
    role: 'targets',
    cause: new Error('x'),
    isLag: true,
  });
  const { code, fault, role, isLag, isOutage } = error;
  const bare = error.bare();
  expect(bare).toBeInstanceOf(TrustError);
  expect(bare).toMatchObject({ code, fault, role, isLag, isOutage, message: 'y' });
  expect('cause' in bare).toBe(false);
  expect(bare.stack).not.toContain('\n');
  expect(new Error('later').stack).toContain('\n');
});

test('only what could not be asked is an outage: every other fault contradicts what was verified before', () => {
  const outages = TRUST_CAUSES.filter((fault) => new TrustError('metadata_invalid', fault, 'x').isOutage);
  expect(outages).toEqual(['unreachable', 'deadline']);
});
