/** What one update loaded, and how what it proves replaces exactly that: never anything that was saved since. */
import type { Gun } from '../names/reference.ts';
import { sha256Hex } from './encoding.ts';
import { TrustError } from './errors.ts';
import { raiseFloor } from './floors.ts';
import { identityOf } from './keys.ts';
import { LIMITS } from './limits.ts';
import { newestOf, type RootChain } from './root-chain.ts';
import type { TrustedMetadata } from './trusted-metadata.ts';
import type { RoleName, RoleRecord, StateStamp, StoredTrust, TrustState } from './types.ts';
import type { Verified } from './verified.ts';

/** Another update was saved since this one loaded: load and judge again. Never leaves trust-client/. */
export class LostRace extends Error {}

export type Proven = { readonly trusted: TrustedMetadata; readonly roots: RootChain };

export type Memory = {
  readonly stored: StoredTrust;
  /** Of what is stored now. */
  readonly stamp: () => StateStamp;
  /**
   * A root that its predecessor vouches for counts from then on, whatever becomes of the rest of the update (TUF 5.3.8):
   * a server that showed it once cannot take it back, and with it the keys it replaced. Not at first contact: what is
   * pinned then must have proved itself as a whole.
   *
   * @throws LostRace, or TrustError (`state`).
   */
  readonly keepRoots: (chain: RootChain) => Promise<void>;
  /** @throws LostRace, or TrustError (`state`). */
  readonly keep: (proven: Proven) => Promise<void>;
};

const NOTHING_STORED: StoredTrust = { roots: [], files: new Map(), floors: new Map() };

/** @throws TrustError (`state`). */
export async function recall(state: TrustState, gun: Gun): Promise<Memory> {
  const loaded = await state.load(gun);
  const stored = loaded ?? NOTHING_STORED;
  let { roots } = stored;
  let stamp = loaded?.stamp;
  const save = async (trust: StoredTrust, fallen: ReadonlySet<RoleName>) => {
    const result = await state.save(gun, trust, { stamp, fallen });
    if (result.kind === 'changed') throw new LostRace(`the entry of ${gun} was changed`);
    ({ stamp } = result);
    ({ roots } = trust);
  };
  return {
    stored,
    stamp: () => stamp,
    keepRoots: async (chain) => {
      if (roots.length === 0 || isNewest(roots, chain)) return;
      await save({ ...stored, roots: withNewer(roots, chain) }, new Set());
    },
    keep: async ({ trusted, roots: chain }) => {
      // A timestamp names every other file through the snapshot, the root too: the same one is the same state.
      const isSame = stored.floors.get('timestamp')?.sha256 === trusted.timestamp.sha256;
      if (isSame && stored.files.has('timestamp')) return;
      const floors = floorsOf(stored, trusted);
      const forgotten = tooMany(floors, trusted);
      for (const role of forgotten) floors.delete(role);
      const trust = { roots: withNewer(roots, chain), files: filesToKeep(trusted), floors };
      await save(trust, new Set([...trusted.fallen, ...forgotten]));
    },
  };
}

function isNewest(roots: readonly Uint8Array[], chain: RootChain): boolean {
  const newest = roots.at(-1);
  return newest !== undefined && sha256Hex(newest) === newestOf(chain).sha256;
}

/** A chain begins where today's pin vouches for it; what came before stays remembered, as roots are only added. */
function withNewer(roots: readonly Uint8Array[], chain: RootChain): readonly Uint8Array[] {
  const newest = roots.at(-1);
  const hash = newest && sha256Hex(newest);
  const known = chain.findIndex(({ sha256 }) => sha256 === hash);
  return [...roots, ...chain.slice(known + 1).map(({ bytes }) => bytes)];
}

function floorsOf({ floors }: StoredTrust, trusted: TrustedMetadata): Map<RoleName, RoleRecord> {
  const { timestamp, snapshot, targets, delegations } = trusted;
  const raised = new Map(floors);
  for (const file of [timestamp, snapshot, targets, ...delegations.values()])
    raised.set(file.role, raiseFloor(floors.get(file.role), toFloor(file), file.keys));
  return raised;
}

/** Of delegations that nobody declares, those that do not fit into `LIMITS.rememberedIds`. */
function tooMany(
  floors: ReadonlyMap<RoleName, RoleRecord>,
  { delegations, skipped }: TrustedMetadata,
): readonly RoleName[] {
  let ids = [...floors.values()].reduce((sum, floor) => sum + idsIn(floor), 0);
  const forgotten: RoleName[] = [];
  for (const [role, floor] of floors) {
    if (ids <= LIMITS.rememberedIds) break;
    // What is below a role that is passed over was not looked at.
    const isDeclared = delegations.has(role) || lineOf(role).some((name) => skipped.has(name));
    if (isDeclared || !role.includes('/')) continue;
    forgotten.push(role);
    ids -= idsIn(floor);
  }
  return forgotten;
}

/** One more for each floor, which has hashes. */
function idsIn({ signers, earlier = [] }: RoleRecord): number {
  return earlier.reduce((sum, floor) => sum + 1 + floor.signers.length, 1 + signers.length);
}

/** Of `targets/a/b`: itself, `targets/a`, `targets`. */
function lineOf(role: RoleName): readonly RoleName[] {
  const parts = role.split('/');
  return parts.map((_part, at) => parts.slice(0, parts.length - at).join('/'));
}

function toFloor({
  metadata,
  sha256,
  content,
  signers,
  keys,
}: Verified<{ readonly version: number }>): RoleRecord {
  const identities = keys.keys.filter(({ id }) => signers.includes(id)).map(identityOf);
  const { version } = metadata;
  const ids = [...new Set([...signers, ...identities])];
  return { version, sha256, content, signers: ids, threshold: keys.threshold };
}

/**
 * Also those that were passed over: without them `restoreTrust` could not tell that they are to be. In place of one whose
 * keys were replaced, the file that was verified before them: it still hides names (replaced.ts).
 */
function filesToKeep(trusted: TrustedMetadata): ReadonlyMap<RoleName, Uint8Array> {
  const { timestamp, snapshot, targets, delegations, skipped, replaced } = trusted;
  const files = new Map<RoleName, Uint8Array>();
  for (const { role, bytes } of [timestamp, snapshot, targets, ...delegations.values()])
    files.set(role, bytes);
  for (const [role, { bytes }] of skipped) if (bytes !== undefined) files.set(role, bytes);
  for (const { role, bytes } of replaced.values()) files.set(role, bytes);
  return files;
}

/** The state, with every question ended by the update's signal: a disk that hangs is an update that came too late. */
export function inTime(state: TrustState, gun: Gun, signal: AbortSignal): TrustState {
  const within = <T>(work: () => Promise<T>) =>
    new Promise<T>((resolve, reject) => {
      const late = () =>
        reject(
          new TrustError('deadline_exceeded', 'deadline', `the trust state of ${gun} did not answer in time`),
        );
      if (signal.aborted) {
        late();
        return;
      }
      signal.addEventListener('abort', late, { once: true });
      work()
        .then(resolve, reject)
        .finally(() => signal.removeEventListener('abort', late));
    });
  return {
    load: (name, admit) => within(() => state.load(name, admit)),
    has: (name) => within(() => state.has(name)),
    stampOf: (name) => within(() => state.stampOf(name)),
    save: (name, trust, replaces) => within(() => state.save(name, trust, replaces)),
  };
}
