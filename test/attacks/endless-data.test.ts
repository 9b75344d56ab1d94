/** Endless data: bodies without an end, and more files than anybody needs (notary-semantics.md §13; limits.ts). */
import { Readable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { createMemoryState } from '../../proxy/cache/state/memory-state.ts';
import { LIMITS } from '../../proxy/trust-client/limits.ts';
import { createNotarySource } from '../../proxy/trust-client/notary-source.ts';
import { updateTrust } from '../../proxy/trust-client/update.ts';
import type { HttpClient } from '../../proxy/upstream/types.ts';
import { createWorld, digestOf, FIRST_USE, GUN, NOW, refusal, type World } from '../trust-client/kit.ts';

const CHUNK = Buffer.alloc(64 * 1024, 0x20);

/** A trust server that never stops sending one role; the others it sends as they are. */
function createFlood(world: World, role: string): { client: HttpClient; sent: () => number } {
  let sent = 0;
  function* pour() {
    for (;;) {
      sent += CHUNK.length;
      yield CHUNK;
    }
  }
  const get = async (path: string) => {
    const name = path.replace(`/v2/${GUN}/_trust/tuf/`, '').replace(/\.json$/, '');
    const bytes = world.repository.files.get(name);
    const isFlooded = name === role || name.startsWith(`${role}.`);
    const absent = '{"errors":[{"code":"METADATA_NOT_FOUND"}]}';
    const body = isFlooded ? Readable.from(pour(), { objectMode: false }) : Readable.from([bytes ?? absent]);
    return { status: bytes === undefined ? 404 : 200, headers: new Map(), body };
  };
  return {
    client: { get, baseUrl: new URL('https://notary.example.com') } as unknown as HttpClient,
    sent: () => sent,
  };
}

describe('a body without an end is cut off at its limit', () => {
  test.each([
    ['root', LIMITS.rootBytes],
    ['timestamp', LIMITS.timestampBytes],
    ['snapshot', 4096],
    ['targets', 4096],
    ['targets/releases', 4096],
  ])('%s', async (role, limit) => {
    const world = createWorld();
    world.repository.addDelegation('releases');
    world.repository.signAs('releases', '1.0', digestOf('b'), 7);
    world.repository.publish();
    const { client, sent } = createFlood(world, role);
    const deps = { source: createNotarySource(client), state: createMemoryState() };
    const request = { gun: GUN, pin: FIRST_USE, now: NOW, signal: new AbortController().signal };
    const error = await refusal(updateTrust(deps, request), 'trust_unreachable', 'unreachable');
    expect(error.role).toBe(role);
    // What a stream buffers ahead of its reader comes on top.
    expect(sent()).toBeLessThan(limit + 4 * CHUNK.length);
  });
});

describe('many files', () => {
  /** A snapshot that names so many delegations of so many bytes each. */
  function nameDelegations(world: World, count: number, length: number): void {
    const sha256 = Buffer.alloc(32).toString('base64');
    world.repository.resign('snapshot', (signed) => {
      for (let i = 0; i < count; i += 1) signed.meta[`targets/d${i}`] = { hashes: { sha256 }, length };
    });
  }

  test('that nobody declares are asked for at most as often as delegations are allowed', async () => {
    const world = createWorld();
    nameDelegations(world, LIMITS.delegations + 50, 10);
    await world.resolve();
    expect(world.source.requests.length).toBeLessThan(10);
  });

  test('no more bytes are asked for than an update may have in all', async () => {
    const world = createWorld();
    nameDelegations(world, 100, LIMITS.fileBytes);
    const bytes = Buffer.alloc(LIMITS.fileBytes);
    world.source.fault(({ name }) => name.startsWith('targets/'), { bytes });
    await world.resolve();
    const asked = world.source.requests.filter(({ name }) => name.startsWith('targets/'));
    expect(asked.length * LIMITS.fileBytes).toBeLessThanOrEqual(LIMITS.updateBytes);
  });

  test('a declared delegation beyond the budget fails the update by name', async () => {
    const world = createWorld();
    for (const name of ['a', 'b', 'c']) {
      world.repository.addDelegation(name);
      world.repository.signAs(name, '1.0', digestOf('b'), 7);
    }
    world.repository.publish();
    world.repository.resign('snapshot', (signed) => {
      for (const [name, meta] of Object.entries(signed.meta)) {
        if (name.includes('/')) meta.length = LIMITS.fileBytes;
      }
    });
    await refusal(world.resolve(), 'metadata_invalid');
    const asked = world.source.requests.filter(({ name }) => name.startsWith('targets/'));
    expect(asked.length).toBeLessThan(3);
  });

  test('roots that are larger than the budget together', async () => {
    const world = createWorld();
    await world.resolve();
    const padding = Buffer.alloc(LIMITS.rootBytes - 8192, 0x20);
    for (let i = 0; i < 70; i += 1) world.repository.rotateKey('timestamp');
    for (let version = 2; version <= 71; version += 1) {
      const bytes = world.repository.files.get(`${version}.root`) ?? Buffer.alloc(0);
      world.repository.files.set(`${version}.root`, Buffer.concat([bytes, padding]));
    }
    await refusal(world.resolve(), 'metadata_invalid', 'size');
    expect(world.source.requests.length).toBeLessThan(80);
  });
});
