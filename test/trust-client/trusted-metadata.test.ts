/** The state machine by itself: what is offered in the wrong order, or by somebody who did not ask the snapshot. */
import { expect, test } from '@jest/globals';
import { parseRootFile } from '../../proxy/trust-client/root-trust.ts';
import { type DeclaredDelegation, TrustedMetadata } from '../../proxy/trust-client/trusted-metadata.ts';
import { createWorld, fileOf, GUN, NOW } from './kit.ts';

const world = createWorld();
const files = {
  timestamp: fileOf(world, 'timestamp'),
  snapshot: fileOf(world, 'snapshot'),
  targets: fileOf(world, 'targets'),
};

function start(): TrustedMetadata {
  return new TrustedMetadata(parseRootFile(fileOf(world, 'root')), GUN, new Map(), NOW);
}

test('another order than root, timestamp, snapshot, targets is our own mistake', () => {
  const trusted = start();
  expect(() => trusted.acceptSnapshot(files.snapshot)).toThrow('timestamp is asked for before');
  trusted.acceptTimestamp(files.timestamp);
  expect(() => trusted.acceptTargets(files.targets)).toThrow('snapshot is asked for before');
  trusted.acceptSnapshot(files.snapshot);
  expect(() => trusted.targets).toThrow('targets is asked for before');
  trusted.acceptTargets(files.targets);
  expect(trusted.targets.metadata.targets.size).toBe(1);
});

test('a delegation without a hash is never looked at', () => {
  const trusted = start();
  trusted.acceptTimestamp(files.timestamp);
  trusted.acceptSnapshot(files.snapshot);
  const declared: DeclaredDelegation = {
    name: 'targets/qa',
    keys: [],
    threshold: 1,
    paths: [''],
    meta: undefined,
  };
  for (const meta of [undefined, { sha256: undefined, sha512: undefined, length: 2 }]) {
    expect(() => trusted.acceptDelegation({ ...declared, meta }, Buffer.from('{}'))).toThrow(
      expect.objectContaining({ code: 'metadata_invalid', fault: 'hash_mismatch', role: 'targets/qa' }),
    );
  }
});
