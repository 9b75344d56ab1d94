/** What an update holds for the files it asks for, and for the entry it loads and replaces (held-bytes.ts). */
import { expect, test } from '@jest/globals';
import { createRoom, heldSource, heldState } from '../../proxy/trust-client/held-bytes.ts';
import type { TrustState } from '../../proxy/trust-client/types.ts';
import { GUN } from './kit.ts';

const { signal } = new AbortController();
const create = () => createRoom({ freeBytes: 0, sharedBytes: 100, firstBytes: 50 });

test('a file takes all it may be while it is asked for, and then what it is', async () => {
  const room = create();
  const seen: number[] = [];
  const answers: (Uint8Array | undefined)[] = [new Uint8Array(10), undefined];
  const source = heldSource(
    {
      fetch: async () => {
        seen.push(room.size().shared);
        if (answers.length === 0) throw new Error('away');
        return answers.shift();
      },
    },
    room.enter(),
  );
  const fetch = () => source.fetch(GUN, { role: 'targets' }, { maxBytes: 40, signal });
  expect([(await fetch())?.length, room.size().shared]).toEqual([10, 10]);
  expect([await fetch(), room.size().shared]).toEqual([undefined, 10]);
  await expect(fetch()).rejects.toThrow('away');
  expect([seen, room.size().shared]).toEqual([[40, 50, 50], 10]);
});

test('an entry takes its own size, and once more while it is replaced', async () => {
  const room = create();
  const seen: number[] = [];
  const inner = {
    load: async (_gun: string, admit: (bytes: number) => Promise<void>) => await admit(30),
    stampOf: async () => 'stamp',
    has: async () => true,
    save: async () => {
      seen.push(room.size().shared);
      return { kind: 'saved', stamp: 'next' };
    },
  };
  const state = heldState(inner as unknown as TrustState, room.enter(), signal);
  await state.load(GUN);
  expect(room.size().shared).toBe(30);
  const saved = await state.save(GUN, { roots: [], files: new Map(), floors: new Map() }, { stamp: '' });
  expect([saved, seen, room.size().shared]).toEqual([{ kind: 'saved', stamp: 'next' }, [60], 30]);
  expect([await state.has(GUN), await state.stampOf(GUN)]).toEqual([true, 'stamp']);
});
