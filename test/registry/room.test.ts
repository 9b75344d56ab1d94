import { expect, jest, test } from '@jest/globals';
import { Room } from '../../proxy/registry/room.ts';

const LIMITS = { maxBytes: 1024, maxWindow: 64, minWindow: 16, stallTimeout: 1_000, waitTimeout: 5_000 };
const [ALICE, BOB] = ['192.0.2.1', '192.0.2.2'];

function createRoom() {
  let time = 0;
  const room = new Room(LIMITS, () => time);
  return {
    room,
    pass: (ms: number): void => {
      time += ms;
    },
  };
}

test('a transfer counts as what it was given, and as what waits when that is more', async () => {
  const { room } = createRoom();
  const lease = await room.admit(ALICE, () => undefined);
  expect(room.bytes).toBe(16);
  lease?.waits(10);
  expect(room.bytes).toBe(16);
  lease?.waits(40);
  expect(room.bytes).toBe(40);
  lease?.waits(0);
  expect(room.bytes).toBe(16);
});

test('a place is given back once, and what its transfer says later counts for nothing', async () => {
  const { room } = createRoom();
  const lease = await room.admit(ALICE, () => undefined);
  lease?.end();
  lease?.end();
  lease?.waits(500);
  expect(room.bytes).toBe(0);
});

test('one client has half of the room, and the other half is there for the next one', async () => {
  const { room } = createRoom();
  for (let held = 0; held < 512; held += 16) expect(await room.admit(ALICE, () => undefined)).toBeDefined();
  expect(room.bytes).toBe(512);
  expect(room.fits(ALICE, 1)).toBe(false);
  expect(room.fits(BOB, 512)).toBe(true);
  expect(room.fits(BOB, 513)).toBe(false);
  expect(await room.admit(BOB, () => undefined)).toBeDefined();
});

test('a window shrinks as the half of its client fills, and is never less than half the least', async () => {
  const { room } = createRoom();
  const lease = await room.admit(ALICE, () => undefined);
  const windows = [0, 256, 480, 512].map((bytes) => {
    lease?.waits(bytes);
    return lease?.window();
  });
  expect(windows).toEqual([31, 16, 8, 8]);
});

test('an answer that does not fit is cut at once, and a client that still reads is not cut for it', () => {
  const { room } = createRoom();
  const cut = { reader: 0, large: 0 };
  room.hold(ALICE, 400, () => {
    cut.reader += 1;
  });
  room.hold(ALICE, 200, () => {
    cut.large += 1;
  });
  expect(cut).toEqual({ reader: 0, large: 1 });
});

test('a client that took nothing for the stall time is cut for an answer that does not fit', () => {
  const { room, pass } = createRoom();
  const cut = { silent: 0, large: 0 };
  room.hold(ALICE, 400, () => {
    cut.silent += 1;
  });
  pass(LIMITS.stallTimeout);
  room.hold(ALICE, 200, () => {
    cut.large += 1;
  });
  expect(cut).toEqual({ silent: 1, large: 0 });
  expect(room.bytes).toBe(200);
});

test('who waits for room gets what becomes free, and is refused when none does in time', async () => {
  jest.useFakeTimers();
  try {
    const { room } = createRoom();
    const full = room.hold(ALICE, 512, () => undefined);
    const first = room.admit(ALICE, () => undefined);
    full.end();
    await jest.advanceTimersByTimeAsync(1);
    expect(await first).toBeDefined();
    room.hold(ALICE, 496, () => undefined);
    const second = room.admit(ALICE, () => undefined);
    await jest.advanceTimersByTimeAsync(LIMITS.waitTimeout);
    expect(await second).toBeUndefined();
    expect(room.bytes).toBe(512);
  } finally {
    jest.useRealTimers();
  }
});

test('who leaves while waiting holds nothing', async () => {
  const { room } = createRoom();
  room.hold(ALICE, 512, () => undefined);
  const gone = new AbortController();
  const admitted = room.admit(ALICE, () => undefined, gone.signal);
  gone.abort();
  expect(await admitted).toBeUndefined();
  expect(room.bytes).toBe(512);
});
