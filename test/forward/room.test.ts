import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { type Lease, Room } from '../../proxy/forward/room.ts';

const LIMITS = { maxBytes: 1600, minWindow: 100, maxWindow: 50, waitTimeout: 1000, stallTimeout: 2000 };

let room: Room;
let cuts: string[];
beforeEach(() => {
  jest.useFakeTimers();
  cuts = [];
  room = new Room(LIMITS, () => Date.now());
});
afterEach(() => {
  jest.useRealTimers();
});

const cut = (client: string) => (): void => void cuts.push(client);
/** A transfer of one client with so many bytes waiting. */
function hold(client: string, bytes: number): Lease {
  return room.hold(client, bytes, cut(client));
}
/** What became of a promise once all that can happen now has. */
async function stateOf<T>(promise: Promise<T>): Promise<T | 'waits'> {
  await jest.advanceTimersByTimeAsync(0);
  return Promise.race([promise, Promise.resolve('waits' as const)]);
}

test('bytes count once: what was given, or what waits if that is more', async () => {
  const lease = await room.admit('a', cut('a'));
  expect(room.bytes).toBe(100);
  lease?.waits(60);
  expect(room.bytes).toBe(100);
  lease?.waits(160);
  expect(room.bytes).toBe(160);
  lease?.waits(0);
  expect(room.bytes).toBe(100);
  lease?.end();
  lease?.end();
  expect(room.bytes).toBe(0);
  lease?.waits(500);
  expect(room.bytes).toBe(0);
});

test('one client has half of it, and the others have the other half', () => {
  expect([room.fits('a', 800), room.fits('a', 801)]).toEqual([true, false]);
  const lease = hold('a', 500);
  expect([room.fits('a', 300), room.fits('a', 301), room.fits('b', 800)]).toEqual([true, false, true]);
  hold('b', 800);
  expect([room.fits('c', 300), room.fits('c', 301), room.fits('a', 300)]).toEqual([true, false, true]);
  lease.end();
  expect(room.fits('c', 800)).toBe(true);
});

test('windows are a sixteenth of what is free, within bounds', () => {
  const small = new Room({ ...LIMITS, minWindow: 20 });
  const lease = small.hold('a', 0, cut('a'));
  expect(lease.window()).toBe(50);
  lease.waits(320);
  expect(lease.window()).toBe(30);
  lease.waits(790);
  expect(lease.window()).toBe(10);
});

describe('what is handed over as a whole', () => {
  test('is cut at once where there is no room, and its bytes are free when it ends', () => {
    hold('a', 800);
    expect(cuts).toEqual([]);
    const over = hold('a', 1);
    expect(cuts).toEqual(['a']);
    over.end();
    expect(room.bytes).toBe(800);
  });

  test('takes the place of one that has read nothing for long, of the same client when its half is full', async () => {
    hold('b', 700);
    hold('a', 800);
    await jest.advanceTimersByTimeAsync(LIMITS.stallTimeout);
    hold('a', 100);
    // Another client's bytes were not in the way.
    expect(cuts).toEqual(['a']);
    expect(room.bytes).toBe(800);
  });

  test('is cut itself where everybody reads', async () => {
    const reading = hold('a', 800);
    await jest.advanceTimersByTimeAsync(LIMITS.stallTimeout);
    reading.waits(790);
    hold('a', 100);
    expect(cuts).toEqual(['a']);
    expect(room.bytes).toBe(890);
  });
});

describe('a transfer without room', () => {
  test('waits, gets the place of one that ended, and is refused when none did in time', async () => {
    const full = hold('a', 800);
    const [first, second] = [room.admit('a', cut('1')), room.admit('a', cut('2'))];
    expect([await stateOf(first), await stateOf(second)]).toEqual(['waits', 'waits']);
    await jest.advanceTimersByTimeAsync(LIMITS.waitTimeout - 1);
    full.waits(700);
    expect(await stateOf(first)).toBeDefined();
    expect(await stateOf(first)).not.toBe('waits');
    expect(await stateOf(second)).toBe('waits');
    await jest.advanceTimersByTimeAsync(1);
    expect(await second).toBeUndefined();
    expect(room.bytes).toBe(800);
  });

  test('of a client that left waits no longer, and holds nothing', async () => {
    hold('a', 800);
    const gone = new AbortController();
    const waiting = room.admit('a', cut('1'), gone.signal);
    gone.abort();
    expect(await waiting).toBeUndefined();
    expect(await room.admit('b', cut('2'), AbortSignal.abort())).toBeUndefined();
    expect(room.bytes).toBe(800);
  });

  test('keeps no other client waiting', async () => {
    hold('a', 800);
    const waiting = room.admit('a', cut('1'));
    expect(await stateOf(waiting)).toBe('waits');
    expect(await stateOf(room.admit('b', cut('2')))).not.toBe('waits');
  });

  test('comes after those of its client that waited before it, however small it is', async () => {
    const full = hold('a', 750);
    const lease = hold('a', 0);
    const large = lease.grow(400);
    const small = room.admit('a', cut('1'));
    full.waits(600);
    expect([await stateOf(large), await stateOf(small)]).toEqual(['waits', 'waits']);
    full.waits(300);
    expect([await stateOf(large), (await stateOf(small)) === 'waits']).toEqual([true, false]);
  });

  test('takes turns with those of others when room becomes free', async () => {
    const full = ['a', 'b'].map((client) => hold(client, 800));
    const order: string[] = [];
    const admit = (client: string) => room.admit(client, cut(client)).then(() => order.push(client));
    const all = [admit('a'), admit('a'), admit('b'), admit('b')];
    await jest.advanceTimersByTimeAsync(0);
    for (const lease of full) lease.end();
    await jest.advanceTimersByTimeAsync(0);
    await Promise.all(all);
    expect(order).toEqual(['a', 'b', 'a', 'b']);
  });

  test('has those cut off who read nothing, the longest silent first, and only while it waits', async () => {
    const leases = ['b', 'c'].map((client) => {
      const lease = hold(client, 760);
      return lease;
    });
    await jest.advanceTimersByTimeAsync(LIMITS.stallTimeout + 1);
    expect(cuts).toEqual([]);
    leases[1]?.waits(759);
    leases[1]?.waits(760);
    const found = room.admit('a', cut('a'));
    await jest.advanceTimersByTimeAsync(250);
    expect(cuts).toEqual(['b']);
    expect(await found).toBeDefined();
    expect(room.bytes).toBe(760 + 100);
  });

  test('of a client whose half is full has its own cut off, not those of others', async () => {
    hold('b', 100);
    hold('a', 400);
    hold('a', 400);
    await jest.advanceTimersByTimeAsync(LIMITS.stallTimeout);
    const found = room.admit('a', cut('new'));
    await jest.advanceTimersByTimeAsync(250);
    expect(cuts).toEqual(['a']);
    expect(await found).toBeDefined();
  });
});
