/** A publisher of many large repositories, all asked for at once: memory of all updates together has one bound. */
import { expect, test } from '@jest/globals';
import { createMemoryState } from '../../proxy/cache/state/memory-state.ts';
import { SimulatedRepository } from '../../proxy/demo/notary/notary-repository.ts';
import { createSigningKey } from '../../proxy/demo/notary/signing-key.ts';
import type { Gun } from '../../proxy/names/reference.ts';
import { LIMITS } from '../../proxy/trust-client/limits.ts';
import type { RootPin } from '../../proxy/trust-client/root-trust.ts';
import type { TrustSource } from '../../proxy/trust-client/types.ts';
import { updateTrust } from '../../proxy/trust-client/update.ts';
import { SimulatedSource } from '../simulators/simulated-source.ts';
import { digestIn, digestOf, FIRST_USE, GUN, NOW, refusal } from '../trust-client/kit.ts';

const MIB = 1024 * 1024;
const FILE_BYTES = 30 * MIB;
/** As many of one registry as the queue of cold repositories lets run beside each other, each with two such files. */
const PARALLEL = 32;
const HOSTILE: Gun = 'docker.io/hostile/any';
const ROOT_KEY = createSigningKey('ecdsa-x509', { commonName: 'docker.io/hostile/*', now: NOW });
const PINNED: RootPin = { kind: 'keys', ids: new Set([ROOT_KEY.id]) };

function createRepository(gun: Gun, options = {}): SimulatedRepository {
  const repository = new SimulatedRepository(gun, { clock: () => NOW, ...options });
  repository.addTag('1', digestOf('a'), 7);
  repository.publish();
  return repository;
}

/** Targets and a delegation, as long as their snapshot says. */
function createLarge(targets: number, delegation: number): SimulatedRepository {
  const repository = createRepository(HOSTILE, { rootKey: ROOT_KEY });
  repository.addDelegation('targets/qa');
  repository.signAs('targets/qa', '1', digestOf('a'), 7);
  repository.publish();
  repository.resign('snapshot', ({ meta }) => {
    Object.assign(meta['targets'] ?? {}, { length: targets });
    Object.assign(meta['targets/qa'] ?? {}, { length: delegation });
  });
  return repository;
}

/** One repository under every name, whose files are sent but for their last byte; what is on its way is counted. */
function createSlow(served: SimulatedSource) {
  const open = { bytes: 0, peak: 0, files: 0 };
  const source: TrustSource = {
    fetch: async (_gun, file, limits) => {
      if (limits.maxBytes !== FILE_BYTES) return await served.fetch(HOSTILE, file, limits);
      open.bytes += limits.maxBytes;
      open.files += 1;
      open.peak = Math.max(open.peak, open.bytes);
      try {
        return await new Promise((_, reject) => {
          const giveUp = () => reject(limits.signal.reason);
          if (limits.signal.aborted) giveUp();
          else limits.signal.addEventListener('abort', giveUp);
        });
      } finally {
        open.bytes -= limits.maxBytes;
      }
    },
  };
  return { open, source };
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

test('32 updates of 60 MiB each that never end hold less than 400 MiB, and keep no other update waiting', async () => {
  const { open, source } = createSlow(new SimulatedSource(createLarge(FILE_BYTES, FILE_BYTES)));
  const deadlines = Array.from({ length: PARALLEL }, () => new AbortController());
  const hostile = deadlines.map(({ signal }, at) => {
    const request = { gun: `docker.io/hostile/${at}` as Gun, pin: PINNED, now: NOW, signal };
    return refusal(updateTrust({ source, state: createMemoryState() }, request), 'deadline_exceeded');
  });
  await settled();
  expect(open.peak).toBeGreaterThan(0);

  const { signal } = new AbortController();
  const honest = { source: new SimulatedSource(createRepository(GUN)), state: createMemoryState() };
  const trust = await updateTrust(honest, { gun: GUN, pin: FIRST_USE, now: NOW, signal });
  expect(digestIn(trust, '1')).toBe(digestOf('a'));

  // Each deadline ends one, and what waited goes on.
  for (const deadline of deadlines) {
    deadline.abort();
    await settled();
  }
  await Promise.all(hostile);
  expect(open.peak).toBeLessThan(400 * MIB);
  expect(open.peak).toBeLessThanOrEqual(LIMITS.sharedBytes + PARALLEL * LIMITS.freeBytes);
  expect(open.bytes).toBe(0);
});

test('an update that failed gives up the files that are still on their way', async () => {
  // The targets file is longer than its parent says, and refused before the delegation is there.
  const { open, source } = createSlow(new SimulatedSource(createLarge(5, FILE_BYTES)));
  const { signal } = new AbortController();
  const request = { gun: 'docker.io/hostile/any' as Gun, pin: PINNED, now: NOW, signal };
  await refusal(updateTrust({ source, state: createMemoryState() }, request), 'metadata_invalid');
  await settled();
  expect([open.files, open.bytes]).toEqual([1, 0]);
});
