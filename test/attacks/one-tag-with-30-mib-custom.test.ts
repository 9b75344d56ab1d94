/** What a signer writes beside one tag is read once and not kept: what stays is small, and counted as what it is. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from '@jest/globals';
import type { VerifiedRepository } from '../../proxy/trust-client/targets.ts';
import { createWorld, digestOf } from '../trust-client/kit.ts';

const MIB = 1024 * 1024;
/** Far above what one tag takes, far below what was written beside it. */
const SMALL = 64 * 1024;

/** Nothing of the server and of the state is kept by this test itself. */
async function verifyLarge(length: number): Promise<{ trust: VerifiedRepository; now: Date }> {
  const world = createWorld();
  world.repository.addTag('big', digestOf('b'), 7, { custom: { note: 'x'.repeat(length) } });
  world.repository.publish();
  return { trust: await world.resolve(), now: world.now };
}

async function usedBytes(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // What a worker thread handed over is let go of in a later turn.
  for (let turn = 0; turn < 3; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

test('one tag with 30 MiB beside it weighs like one tag, and takes no more', async () => {
  await verifyLarge(1);
  const before = await usedBytes();
  const { trust, now } = await verifyLarge(30 * MIB);
  const kept = (await usedBytes()) - before;
  expect(trust.target('big', now)?.digest).toBe(digestOf('b'));
  expect(trust.bytes).toBeLessThan(SMALL);
  expect(kept).toBeLessThan(5 * MIB);
}, 60_000);

test('every tag counts with the bytes of its name and digest', async () => {
  const world = createWorld();
  const one = (await world.resolve()).bytes;
  for (let at = 0; at < 1000; at += 1) world.repository.addTag(`${at}-${'n'.repeat(100)}`, digestOf('c'), 7);
  world.repository.publish();
  const many = (await world.resolve()).bytes;
  expect(many - one).toBeGreaterThan(1000 * (100 + 32));
});
