/**
 * What is fuzzed: one whole update against a repository of which one file is the input, and the oracle that judges it.
 *
 * The oracle is differential: whatever is accepted must be the honest result. Where the input was signed by a key
 * that may change tags, only the tags that key has no say in are compared.
 */
import { createMemoryState } from '../../proxy/cache/state/memory-state.ts';
import {
  encodeEnvelope,
  encodeFileText,
  type Plain,
  signedBytes,
  signWith,
} from '../../proxy/demo/notary/metadata-writer.ts';
import { SimulatedRepository } from '../../proxy/demo/notary/notary-repository.ts';
import { createSigningKey } from '../../proxy/demo/notary/signing-key.ts';
import type { Digest, Gun } from '../../proxy/names/reference.ts';
import { TrustError } from '../../proxy/trust-client/errors.ts';
import type { VerifiedRepository } from '../../proxy/trust-client/targets.ts';
import type { StoredTrust } from '../../proxy/trust-client/types.ts';
import { restoreTrust, updateTrust } from '../../proxy/trust-client/update.ts';
import { SimulatedSource } from '../simulators/simulated-source.ts';
import type { Json } from './mutate-json.ts';

export const ROLES = ['root', 'timestamp', 'snapshot', 'targets', 'targets/releases'] as const;
export type FuzzedRole = (typeof ROLES)[number];

/**
 * `transit`: the bytes as they are; `server`: every file above names them; `state`: they are in our own state;
 * `signed`: what they say under `signed` is signed by the role's key first.
 */
export const MODES = ['transit', 'server', 'state', 'signed'] as const;
export type Mode = (typeof MODES)[number];

export type Input = {
  readonly role: FuzzedRole;
  readonly mode: Mode;
  /** Whether the honest repository was verified before. */
  readonly known: boolean;
  readonly bytes: Uint8Array;
};

export type Verdict = {
  /** What happened, in words that are the same for inputs of the same kind. */
  readonly label: string;
  /** Set when it should not have happened. */
  readonly failure?: string;
};

const GUN: Gun = 'docker.io/library/alpine';
const NOW = new Date('2026-11-21T10:00:00Z');
const HONEST: Readonly<Record<string, Digest>> = {
  '0.9': `sha256:${'b'.repeat(64)}`,
  '1.0': `sha256:${'a'.repeat(64)}`,
};
const PIN = { kind: 'firstUse' } as const;

/** Tags that the holder of each role's key may change or take away. */
const MAY_CHANGE: Readonly<Record<FuzzedRole, readonly string[]>> = {
  root: ['0.9', '1.0'],
  timestamp: [],
  snapshot: [],
  targets: ['0.9', '1.0'],
  'targets/releases': ['0.9', '1.0'],
};

export class FuzzTarget {
  readonly repository: SimulatedRepository;
  readonly #honestFiles: ReadonlyMap<string, Uint8Array>;
  readonly #stored: StoredTrust;

  private constructor(repository: SimulatedRepository, stored: StoredTrust) {
    this.repository = repository;
    this.#honestFiles = new Map(repository.files);
    this.#stored = stored;
  }

  static async create(): Promise<FuzzTarget> {
    const rootKey = createSigningKey('ecdsa-x509', { commonName: GUN, now: NOW });
    const repository = new SimulatedRepository(GUN, { clock: () => NOW, rootKey, targetsKey: 'ed25519' });
    repository.addDelegation('releases');
    repository.addTag('0.9', HONEST['0.9'] ?? 'sha256:', 7);
    repository.signAs('releases', '1.0', HONEST['1.0'] ?? 'sha256:', 8);
    repository.publish();
    const state = createMemoryState();
    await resolve(repository, state);
    const stored = await state.load(GUN);
    if (stored === undefined) throw new Error('the honest repository was not remembered');
    return new FuzzTarget(repository, stored);
  }

  honest(role: FuzzedRole): Uint8Array {
    return this.#honestFiles.get(role) ?? Buffer.alloc(0);
  }

  async run(input: Input): Promise<Verdict> {
    this.#restore();
    const isKnown = input.known || input.mode === 'state';
    const state = createMemoryState(isKnown ? [[GUN, this.#stored]] : []);
    try {
      if (input.mode === 'state') return judge(input, await this.#runOnState(input));
      this.#serve(input);
      return judge(input, await resolve(this.repository, state));
    } catch (error) {
      return judgeError(error);
    }
  }

  /** The repository keeps growing with what it signs; what an earlier run left must not reach a later one. */
  #restore(): void {
    this.repository.files.clear();
    for (const [name, bytes] of this.#honestFiles) this.repository.files.set(name, bytes);
  }

  #serve({ role, mode, bytes }: Input): void {
    if (mode === 'transit') {
      const honest = this.honest(role);
      for (const [name, file] of this.#honestFiles) {
        if (file === honest) this.repository.files.set(name, bytes);
      }
      // A mutated next root, too, must be met well.
      if (role === 'root') this.repository.files.set('2.root', bytes);
      return;
    }
    const served = mode === 'signed' ? this.#sign(role, bytes) : bytes;
    this.repository.replaceFile(role, served, { version: role === 'root' ? 2 : 1 });
  }

  /** Signs what the input has under `signed`; an input that has nothing to sign stays as it is. */
  #sign(role: FuzzedRole, bytes: Uint8Array): Uint8Array {
    try {
      const { signed } = JSON.parse(Buffer.from(bytes).toString()) as { signed: Json };
      const plain = signed as Plain;
      return encodeEnvelope(encodeFileText(plain), signWith(this.repository.keys(role), signedBytes(plain)));
    } catch {
      // Not JSON, or nothing that canonical JSON can say: only its form is tested then.
      return bytes;
    }
  }

  async #runOnState({ role, bytes }: Input): Promise<VerifiedRepository> {
    const files = new Map([...this.#stored.files, [role, bytes] as const]);
    const roots = role === 'root' ? [bytes] : this.#stored.roots;
    const state = createMemoryState([[GUN, { ...this.#stored, roots, files }]]);
    return await restoreTrust(state, GUN, PIN, NOW);
  }
}

function resolve(
  repository: SimulatedRepository,
  state: ReturnType<typeof createMemoryState>,
): Promise<VerifiedRepository> {
  const request = { gun: GUN, pin: PIN, now: NOW, signal: new AbortController().signal };
  return updateTrust({ source: new SimulatedSource(repository), state }, request);
}

function judge({ role, mode }: Input, trust: VerifiedRepository): Verdict {
  const mayChange = mode === 'signed' ? MAY_CHANGE[role] : [];
  // A delegation that is under-signed, expired or left out of the snapshot is passed over (notary-semantics.md §8): its tag
  // may be gone.
  const mayVanish = role === 'targets/releases' || (mode === 'signed' && role === 'snapshot');
  const wrong = Object.entries(HONEST).filter(([tag, digest]) => {
    const seen = trust.target(tag, NOW)?.digest;
    if (seen === digest || mayChange.includes(tag)) return false;
    return !(seen === undefined && tag === '1.0' && mayVanish);
  });
  const label = trust.roles.map((status) => `${status.role}:${status.skipped ?? 'used'}`).join(' ');
  const verdict = { label: `accepted ${role} ${mode} ${label}` };
  if (wrong.length === 0) return verdict;
  return {
    ...verdict,
    failure: `accepted, but ${wrong.map(([tag]) => tag).join(' and ')} is not the honest one`,
  };
}

function judgeError(error: unknown): Verdict {
  if (error instanceof TrustError) {
    return {
      label: `refused ${error.code} ${error.fault} ${error.message.replace(/[0-9a-f]{8,}|[0-9]+/g, '#')}`,
    };
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { label: `crash ${text.split('\n')[0]}`, failure: `threw no TrustError: ${text}` };
}
