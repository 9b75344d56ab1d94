/** What the trust-client tests share: one simulated repository, resolved the way the proxy does. */
import { expect } from '@jest/globals';
import { createMemoryState } from '../../proxy/cache/state/memory-state.ts';
import { SimulatedRepository } from '../../proxy/demo/notary/notary-repository.ts';
import type { RepositoryOptions } from '../../proxy/demo/notary/repository-roles.ts';
import type { Gun } from '../../proxy/names/reference.ts';
import { type TrustCause, TrustError } from '../../proxy/trust-client/errors.ts';
import type { RootPin } from '../../proxy/trust-client/root-trust.ts';
import type { VerifiedRepository } from '../../proxy/trust-client/targets.ts';
import type { TrustState } from '../../proxy/trust-client/types.ts';
import { restoreTrust, updateTrust } from '../../proxy/trust-client/update.ts';
import { SimulatedSource } from '../simulators/simulated-source.ts';

export const GUN: Gun = 'docker.io/library/alpine';
export const NOW = new Date('2026-11-21T10:00:00Z');
export const DAY_MS = 86_400_000;
export const FIRST_USE: RootPin = { kind: 'firstUse' };

export function digestOf(letter: string): `sha256:${string}` {
  return `sha256:${letter.repeat(64)}`;
}

export type World = {
  readonly repository: SimulatedRepository;
  readonly source: SimulatedSource;
  state: TrustState;
  now: Date;
  pin: RootPin;
  /** One update against the simulated server, from the state alone (as after a restart). */
  resolve(previous?: VerifiedRepository): Promise<VerifiedRepository>;
  /** What a proxy that cannot reach the server falls back to. */
  restore(): Promise<VerifiedRepository>;
};

/** A published repository with one signed tag, `3.20`. */
export function createWorld(options: RepositoryOptions = {}, gun: Gun = GUN): World {
  const world: { now: Date } = { now: NOW };
  const repository = new SimulatedRepository(gun, { clock: () => world.now, ...options });
  repository.addTag('3.20', digestOf('a'), 1862);
  repository.publish();
  const source = new SimulatedSource(repository);
  const state = createMemoryState();
  return Object.assign(world, {
    repository,
    source,
    state,
    pin: FIRST_USE,
    resolve(this: World, previous?: VerifiedRepository) {
      const signal = new AbortController().signal;
      return updateTrust(
        { source, state: this.state },
        { gun, pin: this.pin, now: this.now, signal, previous },
      );
    },
    restore(this: World) {
      return restoreTrust(this.state, gun, this.pin, this.now);
    },
  });
}

/** Rejects with a TrustError of this code and fault, and returns it. */
export async function refusal(
  attempt: Promise<unknown>,
  code: TrustError['code'],
  fault?: TrustCause,
): Promise<TrustError> {
  const error = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof TrustError)) throw error ?? new Error('expected a refusal');
  expect({ code: error.code, fault: error.fault, message: error.message }).toMatchObject({
    code,
    ...(fault === undefined ? {} : { fault }),
  });
  return error;
}

/** Records every file as it is now: an attacker with a recording can offer all of it again, and does when called. */
export function record({ repository }: World): () => void {
  const recording = new Map(repository.files);
  return () => {
    repository.files.clear();
    for (const [name, bytes] of recording) repository.files.set(name, bytes);
  };
}

/** The bytes served under a wire name. */
export function fileOf({ repository }: World, name: string): Uint8Array {
  const bytes = repository.files.get(name);
  if (bytes === undefined) throw new Error(`nothing is served as ${name}`);
  return bytes;
}

/** The digest a tag is served as, or undefined: the tag is not signed. */
export function digestIn(trust: VerifiedRepository, tag: string, now: Date = NOW): string | undefined {
  return trust.target(tag, now)?.digest;
}
