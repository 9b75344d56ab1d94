/** The proxy's processes over one state: what each remembers in memory, and what is stored. */
import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createFileState, stateFileOf } from '../../proxy/cache/state/file-state.ts';
import { createMemoryState } from '../../proxy/cache/state/memory-state.ts';
import { createTrustCache, type TrustCache } from '../../proxy/cache/trust-cache.ts';
import type { TrustState } from '../../proxy/trust-client/types.ts';
import type { Activity } from './activity.ts';
import type { Clock } from './clock.ts';
import { GUN } from './keys.ts';
import { Knowledge } from './model.ts';
import type { Line, Server } from './server.ts';
import type { Process } from './steps.ts';

export const REFRESH_MS = 60_000;
/** Never reached: all steps of a sequence together take less. */
const TIMEOUT_MS = 7_200_000;

export type Session = { readonly line: Line; readonly cache: TrustCache; readonly known: Knowledge };

/** Where the state is: a folder, or this process's memory. */
export type Store = { readonly folder: string } | 'memory';

export class Fleet {
  /** What the state holds, and whether it is there. */
  stored = new Knowledge();
  isStored = false;
  isRemoved = false;
  readonly #store: Store;
  readonly #server: Server;
  readonly #clock: Clock;
  readonly #activity: Activity;
  readonly #memory = createMemoryState();
  readonly #states = new Map<Process, TrustState>();
  readonly #sessions = new Map<Process, Session>();

  constructor(store: Store, server: Server, clock: Clock, activity: Activity) {
    this.#store = store;
    this.#server = server;
    this.#clock = clock;
    this.#activity = activity;
    if (store !== 'memory') mkdirSync(store.folder, { recursive: true });
  }

  session(by: Process): Session {
    const known = this.#sessions.get(by);
    if (known !== undefined) return known;
    const line = this.#server.connect();
    const { now, monotonic, after } = this.#clock;
    const cache = createTrustCache({
      sourceFor: () => line.source,
      pinFor: () => ({ kind: 'firstUse' }),
      state: this.#state(by),
      refreshMs: REFRESH_MS,
      timeoutMs: TIMEOUT_MS,
      now,
      monotonic,
      after,
    });
    const session = { line, cache, known: new Knowledge() };
    this.#sessions.set(by, session);
    return session;
  }

  reload(by: Process): void {
    this.#sessions.delete(by);
  }

  restart(by: Process): void {
    this.#sessions.delete(by);
    this.#states.delete(by);
  }

  async removeState(): Promise<void> {
    if (this.#store === 'memory') return;
    await rm(stateFileOf(this.#store.folder, GUN), { force: true });
    this.isRemoved = this.isRemoved || this.isStored;
    this.isStored = false;
    this.stored = new Knowledge();
  }

  #state(by: Process): TrustState {
    const known = this.#states.get(by);
    if (known !== undefined) return known;
    const state = this.#watched(
      this.#store === 'memory' ? this.#memory : createFileState(this.#store.folder),
    );
    this.#states.set(by, state);
    return state;
  }

  /** Tells when the state works and when it holds something, whatever the port's calls look like. */
  #watched(state: TrustState): TrustState {
    return new Proxy(state, {
      get: (target, name, receiver) => {
        const member: unknown = Reflect.get(target, name, receiver);
        if (typeof member !== 'function') return member;
        return (...given: unknown[]) =>
          this.#activity.during(async () => {
            const result: unknown = await member.apply(target, given);
            if (name === 'save' && !isConflict(result)) this.isStored = true;
            return result;
          });
      },
    });
  }
}

/** A compare-and-set that wrote nothing. */
function isConflict(result: unknown): boolean {
  return typeof result === 'object' && result !== null && 'kind' in result && result.kind === 'changed';
}
