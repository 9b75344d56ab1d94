/**
 * 255 delegations with 128 signatures each that verify nothing: four minutes of work for one repository that anybody
 * may publish. Counted in files, turns and signatures, not in time.
 */
import { describe, expect, test } from '@jest/globals';
import { createSigningKey } from '../../proxy/demo/notary/signing-key.ts';
import type { CheckAnswer } from '../../proxy/threads/check-job.ts';
import { createCheckPool } from '../../proxy/threads/check-pool.ts';
import { LIMITS } from '../../proxy/trust-client/limits.ts';
import { restoreTrust, updateTrust } from '../../proxy/trust-client/update.ts';
import { FakeThread } from '../threads/fake-thread.ts';
import { createWorld, digestIn, digestOf, GUN, NOW, refusal, type World } from '../trust-client/kit.ts';

const KEY = createSigningKey('ed25519');

/** Each delegation is passed over as under-signed in the end. */
function createHostileWorld(delegations: number, signatures: number): World {
  const world = createWorld();
  const names = Array.from({ length: delegations }, (_, index) => `targets/d${index}`);
  for (const name of names) {
    world.repository.addDelegation(name, { keys: [KEY] });
    world.repository.signAs(name, '1.0', digestOf('b'), 7);
  }
  world.repository.publish();
  const bogus = JSON.stringify({
    keyid: KEY.id,
    method: 'eddsa',
    sig: Buffer.alloc(64, 1).toString('base64'),
  });
  const all = Array(signatures).fill(bogus).join(',');
  for (const [index, name] of names.entries()) {
    const text = Buffer.from(world.repository.files.get(name) ?? '').toString();
    const bytes = Buffer.from(text.replace(/"signatures":\[.*\]/, `"signatures":[${all}]`));
    world.repository.replaceFile(name, bytes, { propagate: index === names.length - 1 });
  }
  return world;
}

/** Refuses every delegation as under-signed without looking at it. */
class RefusingThread extends FakeThread {
  override answer(): void {
    const role = this.jobs.at(-1)?.role;
    if (role?.startsWith('targets/') !== true) {
      super.answer();
      return;
    }
    const answer: CheckAnswer = {
      kind: 'refused',
      code: 'metadata_invalid',
      fault: 'threshold',
      role,
      message: 'too few signatures are valid',
    };
    this.emit('message', answer);
  }

  get delegations(): number {
    return this.jobs.filter(({ role }) => role.startsWith('targets/')).length;
  }
}

function request(signal = new AbortController().signal) {
  return { gun: GUN, pin: { kind: 'firstUse' as const }, now: NOW, signal };
}

/** How often the loop turned while the work was done. */
async function turnsOf(work: () => Promise<unknown>): Promise<number> {
  let [turns, isOver] = [0, false];
  const count = (): void => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  await work().finally(() => {
    isOver = true;
  });
  return turns;
}

test('not one of the signatures is checked where pulls are served', async () => {
  const world = createHostileWorld(LIMITS.delegations - 1, LIMITS.signatures);
  const thread = new RefusingThread();
  const { check } = createCheckPool({ size: 1, startThread: () => thread });
  const { source, state } = world;
  const trust = await updateTrust({ source, state, check }, request());
  expect(thread.delegations).toBe(LIMITS.delegations - 1);
  expect(digestIn(trust, '3.20')).toBe(digestOf('a'));
  // After a restart nothing is fetched, and all of it is checked again.
  await restoreTrust(state, GUN, { kind: 'firstUse' }, NOW, { check });
  expect(thread.delegations).toBe(2 * (LIMITS.delegations - 1));
});

describe('without threads', () => {
  test('others have a turn after each file, also after one that is refused', async () => {
    const world = createHostileWorld(12, 4);
    await expect(turnsOf(() => world.resolve())).resolves.toBeGreaterThan(12);
    await expect(turnsOf(() => world.restore())).resolves.toBeGreaterThan(12);
  });
});

describe('the deadline', () => {
  const late = (files: number) => {
    const time = new AbortController();
    const thread = new (class extends RefusingThread {
      override answer(): void {
        if (this.jobs.length === files) time.abort();
        else super.answer();
      }
    })();
    const { check } = createCheckPool({ size: 1, startThread: () => thread });
    return { thread, check, signal: time.signal };
  };

  test('ends an update in the middle of a file', async () => {
    const { source, state } = createHostileWorld(20, LIMITS.signatures);
    const { thread, check, signal } = late(3);
    const update = updateTrust({ source, state, check }, request(signal));
    await refusal(update, 'deadline_exceeded', 'deadline');
    expect(thread.jobs).toHaveLength(3);
    expect(thread.terminated).toBe(1);
  });

  test('and the reading of what is stored', async () => {
    const world = createHostileWorld(20, 1);
    await world.resolve();
    const stored = await world.state.load(GUN);
    expect(stored?.files.size).toBe(23);
    const time = new AbortController();
    const restored = restoreTrust(world.state, GUN, world.pin, NOW, { signal: time.signal });
    setImmediate(() => time.abort());
    await refusal(restored, 'deadline_exceeded', 'deadline');
  });
});
