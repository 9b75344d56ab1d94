/** Started by bench/trust.ts in a process of its own: what large and many repositories cost in CPU and memory. */
import { createMemoryState } from '../proxy/cache/state/memory-state.ts';
import { SimulatedRepository } from '../proxy/demo/notary/notary-repository.ts';
import { createSigningKey, sharedKeyPair } from '../proxy/demo/notary/signing-key.ts';
import type { Gun } from '../proxy/names/reference.ts';
import type { VerifiedRepository } from '../proxy/trust-client/targets.ts';
import type { TrustSource } from '../proxy/trust-client/types.ts';
import { updateTrust } from '../proxy/trust-client/update.ts';
import { wireName } from '../test/simulators/simulated-source.ts';

export type ScaleResult = {
  readonly cpuMs: readonly number[];
  readonly lookupMicros: readonly number[];
  /** Heap and buffers after a collection, above what the process had before the first resolution. */
  readonly memoryMb: readonly number[];
};

const TAGS_OF_LARGE = 100_000;
const REPOSITORIES = 10_000;
const TAGS_OF_EACH = 20;
const LARGE_RUNS = 5;

const collect = (globalThis as { gc?: () => void }).gc;
const result = process.argv[2] === 'many' ? await measureMany() : await measureLarge();
process.stdout.write(JSON.stringify(result));

async function measureLarge(): Promise<ScaleResult> {
  const gun: Gun = 'registry.bench.example/team/large';
  const files = publish(gun, TAGS_OF_LARGE);
  const cpuMs: number[] = [];
  const lookupMicros: number[] = [];
  // A first, small resolution loads and compiles what every process has loaded.
  await resolve('registry.bench.example/team/small', publish('registry.bench.example/team/small', 20));
  const idle = usedMb();
  let trust: VerifiedRepository | undefined;
  for (let run = 0; run < LARGE_RUNS; run += 1) {
    trust = undefined;
    collect?.();
    const before = process.cpuUsage();
    trust = await resolve(gun, files);
    const { user, system } = process.cpuUsage(before);
    cpuMs.push((user + system) / 1000);
    lookupMicros.push(timeLookups(trust));
  }
  const memoryMb = [usedMb() - idle];
  if (trust === undefined) throw new Error('nothing was resolved');
  return { cpuMs, lookupMicros, memoryMb };
}

function timeLookups(trust: VerifiedRepository): number {
  const now = new Date();
  const started = performance.now();
  for (let i = 0; i < TAGS_OF_LARGE; i += 1) {
    if (trust.target(`tag-${i}`, now) === undefined) throw new Error(`tag-${i} is missing`);
  }
  return ((performance.now() - started) * 1000) / TAGS_OF_LARGE;
}

/** Every repository has files of its own; one set of keys signs them all, as making keys is not what is measured. */
async function measureMany(): Promise<ScaleResult> {
  const held: VerifiedRepository[] = [];
  await resolve('registry.bench.example/team/small', publish('registry.bench.example/team/small', 20));
  const idle = usedMb();
  for (let i = 0; i < REPOSITORIES; i += 1) {
    const gun: Gun = `registry.bench.example/team/r${i}`;
    held.push(await resolve(gun, publish(gun, TAGS_OF_EACH)));
  }
  const memoryMb = [usedMb() - idle];
  if (held.length !== REPOSITORIES) throw new Error('not all were resolved');
  return { cpuMs: [], lookupMicros: [], memoryMb };
}

function publish(gun: Gun, tags: number): ReadonlyMap<string, Uint8Array> {
  const pair = sharedKeyPair('p256', 'bench');
  const key = createSigningKey('ecdsa', { pair });
  const repository = new SimulatedRepository(gun, {
    rootKey: createSigningKey('ecdsa-x509', { pair, commonName: gun }),
    targetsKey: key,
    snapshotKey: key,
    timestampKey: key,
  });
  for (let i = 0; i < tags; i += 1) repository.addTag(`tag-${i}`, `sha256:${'ab'.repeat(32)}`, 1000);
  repository.publish();
  return repository.files;
}

/** Copies each file, as the network would: nothing that is kept may lean on the publisher's bytes. */
function resolve(gun: Gun, files: ReadonlyMap<string, Uint8Array>): Promise<VerifiedRepository> {
  const source: TrustSource = {
    fetch: async (_gun, file) => {
      const bytes = files.get(wireName(file));
      return bytes && Uint8Array.from(bytes);
    },
  };
  const request = {
    gun,
    pin: { kind: 'firstUse' },
    now: new Date(),
    signal: AbortSignal.timeout(60_000),
  } as const;
  return updateTrust({ source, state: createMemoryState() }, request);
}

function usedMb(): number {
  collect?.();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1e6;
}
