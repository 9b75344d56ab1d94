import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { BODY_LIMITS } from '../../proxy/limits.ts';
import { type BodyLease, BodyRoom, type Need } from '../../proxy/upstream/body-room.ts';
import { withBody } from '../../proxy/upstream/held-body.ts';

const LIMITS = { maxBytes: { first: 800, more: 200, list: 80 }, waitTimeout: 500 };

let room: BodyRoom;
beforeEach(() => {
  jest.useFakeTimers();
  room = new BodyRoom(LIMITS);
});
afterEach(() => {
  jest.useRealTimers();
});

/** What became of a promise once all that can happen now has. */
async function stateOf(promise: Promise<unknown>): Promise<unknown> {
  const settled = promise.then(
    () => 'has it',
    ({ kind }: { kind: string }) => kind,
  );
  await jest.advanceTimersByTimeAsync(0);
  return Promise.race([settled, Promise.resolve().then(() => Promise.resolve('waits'))]);
}

function hold(upstream: string, bytes: number, need: Need = 'first'): BodyLease {
  const lease = room.open(upstream, need);
  expect(lease.tryGrow(bytes)).toBe(true);
  return lease;
}

/** Whether one more body of this length would find room. */
function fits(upstream: string, bytes: number, need: Need = 'first'): boolean {
  const lease = room.open(upstream, need);
  const isFitting = lease.tryGrow(bytes);
  lease.end();
  return isFitting;
}

test('an upstream has as much as it leaves free, so the next one always has something', () => {
  expect([fits('a', 400), fits('a', 401)]).toEqual([true, false]);
  hold('a', 400);
  expect([fits('b', 200), fits('b', 201), fits('a', 1)]).toEqual([true, false, false]);
  hold('b', 200);
  expect([fits('c', 100), fits('c', 101)]).toEqual([true, false]);
});

test('each need has a part of its own, shared out in the same way', () => {
  hold('a', 400);
  expect([fits('a', 1), fits('a', 100, 'more'), fits('a', 101, 'more')]).toEqual([false, true, false]);
  hold('a', 100, 'more');
  hold('a', 40, 'list');
  expect([fits('b', 200), fits('b', 50, 'more'), fits('b', 20, 'list')]).toEqual([true, true, true]);
  expect([fits('b', 201), fits('b', 51, 'more'), fits('b', 21, 'list')]).toEqual([false, false, false]);
  expect(room.bytes).toBe(540);
});

test('bytes count until the end, which comes once; fewer count as fewer', async () => {
  const lease = hold('a', 300);
  lease.shrink(100);
  lease.shrink(200);
  expect(room.bytes).toBe(100);
  lease.end();
  lease.end();
  lease.shrink(0);
  expect([room.bytes, lease.tryGrow(1)]).toEqual([0, false]);
});

describe('a body without room', () => {
  test('waits, and gets what becomes free', async () => {
    const full = hold('a', 400);
    const waiting = room.open('a', 'first').grow(100);
    expect(await stateOf(waiting)).toBe('waits');
    full.shrink(300);
    expect(await stateOf(waiting)).toBe('has it');
    expect(room.bytes).toBe(400);
  });

  test('is refused when none became free in time, and holds nothing', async () => {
    hold('a', 400);
    const waiting = stateOf(room.open('a', 'first').grow(100));
    await jest.advanceTimersByTimeAsync(LIMITS.waitTimeout);
    expect(await waiting).toBe('waits');
    const late = room.open('a', 'first').grow(100);
    const outcome = late.catch(({ kind }: { kind: string }) => kind);
    await jest.advanceTimersByTimeAsync(LIMITS.waitTimeout);
    expect([await outcome, room.bytes]).toEqual(['no_room', 400]);
  });

  test('of a caller that left waits no longer', async () => {
    const full = hold('a', 400);
    const gone = new AbortController();
    const waiting = room.open('a', 'first').grow(100, gone.signal);
    const outcome = stateOf(waiting);
    gone.abort();
    expect(await outcome).toBe('timeout');
    expect(await stateOf(room.open('b', 'first').grow(1, AbortSignal.abort()))).toBe('timeout');
    full.end();
    await jest.advanceTimersByTimeAsync(0);
    expect(room.bytes).toBe(0);
  });

  test('keeps no other upstream waiting, and is passed by nobody of its own', async () => {
    const full = hold('a', 350);
    const large = room.open('a', 'first').grow(100);
    const small = room.open('a', 'first').grow(10);
    expect(await stateOf(room.open('b', 'first').grow(100))).toBe('has it');
    expect([await stateOf(large), await stateOf(small)]).toEqual(['waits', 'waits']);
    full.end();
    expect([await stateOf(large), await stateOf(small)]).toEqual(['has it', 'has it']);
  });

  test('waits for those alone who need the same', async () => {
    const full = hold('a', 400);
    const kept = hold('a', 100, 'more');
    const first = room.open('a', 'first').grow(400);
    const more = room.open('a', 'more').grow(100);
    kept.end();
    expect([await stateOf(more), await stateOf(first)]).toEqual(['has it', 'waits']);
    full.end();
    expect(await stateOf(first)).toBe('has it');
  });

  test('never waits for those who wait themselves: each holds one body and needs another', async () => {
    const bodies = Array.from({ length: 10 }, () => Buffer.alloc(40));
    const ends = await Promise.all(bodies.map((body) => room.carry('a', body)));
    expect([room.bytes, fits('a', 1)]).toEqual([400, false]);
    const leases = bodies.map(() => room.open('a', 'more'));
    let done = 0;
    const all = leases.map(async (lease, index) => {
      await lease.grow(100);
      done += 1;
      lease.end();
      ends[index]?.();
    });
    await jest.advanceTimersByTimeAsync(LIMITS.waitTimeout - 1);
    expect(done).toBe(10);
    await Promise.all(all);
    expect(room.bytes).toBe(0);
  });
});

describe('a body that is carried', () => {
  test('by many counts once, until the last of them ended', async () => {
    const body = Buffer.alloc(300);
    const [first, second] = await Promise.all([room.carry('a', body), room.carry('a', body)]);
    expect(room.bytes).toBe(300);
    first();
    first();
    expect(room.bytes).toBe(300);
    second();
    expect(room.bytes).toBe(0);
    (await room.carry('a', body))();
    expect(room.bytes).toBe(0);
  });

  test('waits where there is no room, and counts once then too', async () => {
    const body = Buffer.alloc(300);
    const full = hold('a', 400);
    const both = Promise.all([room.carry('a', body), room.carry('a', body)]);
    expect(await stateOf(both)).toBe('waits');
    full.end();
    expect([await stateOf(both), room.bytes]).toEqual(['has it', 300]);
    const ends = await both;
    expect(ends).toHaveLength(2);
    for (const end of ends) end();
    expect(room.bytes).toBe(0);
  });

  test('by somebody who left, or waited too long, holds nothing', async () => {
    const full = hold('a', 400);
    const gone = new AbortController();
    const left = stateOf(room.carry('a', Buffer.alloc(300), gone.signal));
    const late = room.carry('a', Buffer.alloc(300)).catch(({ kind }: { kind: string }) => kind);
    gone.abort();
    expect(await left).toBe('timeout');
    await jest.advanceTimersByTimeAsync(LIMITS.waitTimeout);
    expect(await late).toBe('no_room');
    full.end();
    expect(room.bytes).toBe(0);
  });

  test('when it was just read comes before anybody else has its room', async () => {
    const read = hold('a', 400);
    const waiting = room.open('a', 'first').grow(400);
    read.end();
    const end = await room.carry('a', Buffer.alloc(400));
    expect(await stateOf(waiting)).toBe('waits');
    end();
    expect(await stateOf(waiting)).toBe('has it');
  });
});

describe('a body that is read', () => {
  const owner = () => ({ upstream: 'a', bodies: room });
  const answer = (body: Readable, length?: number) => ({
    headers: new Map(length === undefined ? [] : [['content-length', [String(length)]]]),
    body,
  });

  test('takes as much as it says, and keeps it while it is used', async () => {
    const used = await withBody(
      owner(),
      answer(Readable.from([Buffer.alloc(100)]), 100),
      { maxBytes: 300 },
      async (bytes) => [bytes.length, room.bytes],
    );
    expect([used, room.bytes]).toEqual([[100, 100], 0]);
  });

  test('takes little, and all it may be once it is longer, where it does not say how long it is', async () => {
    room = new BodyRoom();
    const grown: number[] = [];
    const open = jest.spyOn(room, 'open');
    open.mockImplementation((upstream, need) => {
      open.mockRestore();
      const lease = room.open(upstream, need);
      const grow = (bytes: number) => {
        grown.push(bytes);
        return lease.grow(bytes);
      };
      return { ...lease, grow };
    });
    const { unknownBytes } = BODY_LIMITS;
    const limits = { maxBytes: 4 * unknownBytes };
    const body = Readable.from([Buffer.alloc(unknownBytes), Buffer.alloc(1), Buffer.alloc(1)]);
    const used = await withBody(owner(), answer(body), limits, () => room.bytes);
    expect([...grown, used]).toEqual([unknownBytes, 4 * unknownBytes, unknownBytes + 2]);
  });

  test.each<[string, () => Readable, number, string]>([
    ['is too long', () => Readable.from([Buffer.alloc(301)]), 300, 'too_large'],
    [
      'breaks off',
      () =>
        new Readable({
          read() {
            this.destroy(new Error('cut'));
          },
        }),
      300,
      'unreachable',
    ],
  ])('gives its room back when it %s', async (_how, body, maxBytes, kind) => {
    await expect(withBody(owner(), answer(body()), { maxBytes }, () => 0)).rejects.toMatchObject({ kind });
    expect(room.bytes).toBe(0);
  });

  test('gives its room and its connection back when its reader leaves or fails, or there is no room', async () => {
    const gone = new AbortController();
    const silent = new Readable({ read: () => undefined });
    const left = withBody(owner(), answer(silent, 100), { maxBytes: 100, signal: gone.signal }, () => 0);
    await jest.advanceTimersByTimeAsync(0);
    expect(room.bytes).toBe(100);
    gone.abort();
    await expect(left).rejects.toMatchObject({ kind: 'timeout' });
    const fails = withBody(owner(), answer(Readable.from([Buffer.alloc(1)])), { maxBytes: 9 }, () => {
      throw new RangeError('used');
    });
    await expect(fails).rejects.toThrow('used');
    expect(room.bytes).toBe(0);
    const full = hold('a', 400);
    const waits = new Readable({ read: () => undefined });
    const refused = withBody(owner(), answer(waits, 100), { maxBytes: 100 }, () => 0);
    const outcome = refused.catch(({ kind }: { kind: string }) => kind);
    await jest.advanceTimersByTimeAsync(LIMITS.waitTimeout);
    expect([await outcome, waits.destroyed]).toEqual(['no_room', true]);
    full.end();
    expect([silent.destroyed, room.bytes]).toEqual([true, 0]);
  });
});
