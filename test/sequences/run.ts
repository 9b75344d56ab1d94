/** One sequence: the real cache and the real updates, judged by the model after every pull. */

import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createFileState, stateFileOf } from '../../proxy/cache/file-state.ts';
import { createMemoryState } from '../../proxy/cache/memory-state.ts';
import { createTrustCache, type TrustCache } from '../../proxy/cache/trust-cache.ts';
import { decide } from '../../proxy/policy/decide.ts';
import type { Rule, TrustOutcome } from '../../proxy/policy/types.ts';
import { piecesWaiting } from '../../proxy/trust-client/turn.ts';
import type { TrustState } from '../../proxy/trust-client/types.ts';
import { GUN, START } from './keys.ts';
import { Knowledge, lessThan, mustBeServed, versionOf } from './model.ts';
import { Owner } from './owner.ts';
import { type Line, Server } from './server.ts';
import { describe, type Process, type Step, type Tag } from './steps.ts';

const REFRESH_MS = 60_000;
/** Never reached: a request that is held is released by a step, or at the end. */
const TIMEOUT_MS = 600_000;
/** A question that is held is waited for no longer than this where something verified is there. */
const PATIENCE_MS = 50;
const RULE: Rule = { name: 'all', match: '**', mode: 'enforce', signers: undefined, tagList: 'signed' };
const NO_CANARY = { registry: 'none', repository: 'none', tag: 'none' };

/** `less`: I1, `refused`: I2, `current`: I3 of model.ts; `broken`: an error that is no TrustError. */
export type Kind = 'less' | 'refused' | 'current' | 'broken';

type Session = { readonly line: Line; readonly cache: TrustCache; readonly known: Knowledge };
/** A pull that waits; `known` is what was known when its question to the server began. */
type Pending = {
  readonly session: Session;
  readonly known: Knowledge;
  readonly settled: Promise<void>;
  isDone: boolean;
};

/** Where the state is: a folder, or this process's memory. */
export type Store = { readonly folder: string } | 'memory';

class Run {
  readonly trace: string[] = [];
  violation: string | undefined;
  readonly #judged: readonly Kind[];
  #now = START;
  readonly #owner = new Owner(() => this.#now);
  readonly #server = new Server(this.#owner);
  readonly #store: Store;
  readonly #memory = createMemoryState();
  /** What the state holds, and whether it is there. */
  #stored = new Knowledge();
  #isStored = false;
  #isRemoved = false;
  #busy = 0;
  readonly #states = new Map<Process, TrustState>();
  readonly #sessions = new Map<Process, Session>();
  #pending: Pending[] = [];
  #release: () => void = () => undefined;
  #released: Promise<void> = Promise.resolve();

  constructor(store: Store, judged: readonly Kind[]) {
    this.#store = store;
    this.#judged = judged;
    if (store !== 'memory') mkdirSync(store.folder, { recursive: true });
  }

  async play(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      this.#note(describe(step));
      await this.#take(step);
      if (this.violation !== undefined) break;
    }
    await this.#letGo();
  }

  async #take(step: Step): Promise<void> {
    const owner = this.#owner;
    switch (step.do) {
      case 'publish':
        return owner.publishTag(step.role, step.tag, step.few);
      case 'sign':
        return owner.trustSign(step.tag);
      case 'revoke':
        return owner.revoke(step.tag, step.everywhere);
      case 'rotate':
        return owner.rotate(step.role);
      case 'rewrap':
        return owner.rewrap(step.role);
      case 'add key':
        return owner.raise(step.role, step.threshold);
      case 'remove delegation':
        return owner.removeDelegation(step.role);
      case 'add delegation':
        return owner.addDelegation(step.role);
      case 'renew':
        return owner.renew();
      case 'heal':
        return this.#server.heal();
      case 'lag':
        return this.#server.lag(step.back, step.how, step.requests);
      case 'roll back':
        return this.#server.rollBack(step.back);
      case 'hide':
        this.#server.fork = owner.forge(step.how, step.role, 0);
        return;
      case 'old file':
        this.#server.fork = owner.forge(step.do, step.role, step.back);
        return;
      case 'old keys':
        this.#server.fork = owner.forge(step.do, 'targets', step.back);
        return;
      case 'fault':
        return this.#server.fault(step.on, step.kind, step.skip, step.times);
      case 'clock':
        this.#pass(step.minutes * 60_000);
        return;
      case 'remove state':
        return await this.#removeState();
      case 'release':
        return await this.#letGo();
      case 'reload':
        this.#sessions.delete(step.by);
        return;
      case 'restart':
        this.#sessions.delete(step.by);
        this.#states.delete(step.by);
        return;
      case 'hold':
        return await this.#pull(step.by, 'a', step.on);
      case 'pull':
        this.#pass(step.wait * 1000);
        return await this.#pull(step.by, step.tag);
    }
  }

  async #pull(by: Process, tag: Tag, hold?: NonNullable<Line['hold']>['on']): Promise<void> {
    const session = this.#session(by);
    const { line } = session;
    if (hold !== undefined) {
      this.#pass(REFRESH_MS + 1000);
      if (!this.#isHolding) {
        this.#released = new Promise((resolve) => {
          this.#release = resolve;
        });
      }
      line.hold = { on: hold, until: this.#released };
    }
    const isUnderWay = this.#waits(session);
    // What a question in the background was shown after the last answer.
    if (!isUnderWay) {
      // One that is still held may not have come to judge them.
      for (const memory of [session.known, this.#stored]) memory.see(line.rootsShown, this.#owner);
      Object.assign(line, { asked: 0, current: true });
      line.rootsShown.clear();
    }
    const before = new Knowledge().merge(session.known);
    // One that joins a question under way gets what was true when that began.
    const joined = this.#pending.find((it) => it.session === session && !it.isDone);
    const all = joined?.known ?? new Knowledge().merge(session.known).merge(this.#stored);
    const isHeld = this.#isHolding || hold !== undefined;
    const pending: Pending = {
      session,
      known: all,
      isDone: false,
      settled: session.cache.trustFor('docker.io', GUN).then(
        (outcome) => {
          pending.isDone = true;
          this.#judge(session, by, tag, outcome, line.asked > 0 ? all : before, isHeld);
        },
        (error: unknown) => {
          pending.isDone = true;
          this.#violate('broken', by, `threw ${error instanceof Error ? error.stack : error}`);
        },
      ),
    };
    // One that is answered while its question is held goes on without it.
    await (isHeld ? Promise.race([pending.settled, this.#quiet()]) : pending.settled);
    await this.#quiet();
    line.hold = undefined;
    if (pending.isDone && !this.#waits(session)) this.#seeInBackground(session);
    if (!pending.isDone) {
      this.#note('   … is still waiting');
      this.#pending.push(pending);
    }
  }

  #waits(session: Session): boolean {
    return this.#pending.some((it) => it.session === session && !it.isDone);
  }

  /** An answer may be given before its question to the server ends, which may save a root then. */
  #seeInBackground({ line, known }: Session): void {
    for (const memory of [known, this.#stored]) memory.see(line.rootsShown, this.#owner);
    line.rootsShown.clear();
  }

  #judge(
    session: Session,
    by: Process,
    tag: Tag,
    outcome: TrustOutcome,
    known: Knowledge,
    isHeld: boolean,
  ): void {
    const { line } = session;
    const digest = this.#decide(outcome, tag);
    this.#note(`   → ${by}: ${sayOutcome(outcome)}; tag ${tag}: ${digest ?? 'refused'}`);
    const seen = new Knowledge().merge(known);
    seen.see(line.rootsShown, this.#owner);
    // A stale answer may have been given before the newest root came; the next pull knows it.
    const less =
      outcome.kind === 'verified' && lessThan(known, outcome.trust, outcome.path === 'cold', this.#owner);
    if (less) {
      this.#violate('less', by, `serves less than it verified: ${less}`);
      return;
    }
    // A state that was taken away may be missed from then on: that is not the server's fault.
    const isHonest = !this.#server.wasForged && !isHeld && !this.#isRemoved;
    // A root that another process saved first counts as well: this one read it from the state.
    const fleet = new Knowledge().merge(seen).merge(this.#stored);
    const isDue = [seen, fleet].every((memory) => mustBeServed(memory, this.#now, this.#owner));
    const isExcused =
      outcome.kind === 'failed' &&
      (this.#looksCreatedAgain(outcome, line, seen) || this.#looksHidden(outcome));
    if (outcome.kind === 'failed' && isHonest && isDue && !isExcused) {
      this.#violate(
        'refused',
        by,
        `refuses what it verified: ${outcome.error.code}: ${outcome.error.message}`,
      );
      return;
    }
    if (isHonest && !isExcused && line.asked > 0 && line.current) this.#judgeCurrent(by, outcome);
    this.#remember(session, outcome, line);
  }

  /** A root from before the first that was seen, by two changes of the root key or more: nothing leads from it to that. */
  #looksCreatedAgain(outcome: TrustOutcome & { kind: 'failed' }, { rootsShown }: Line, { root }: Knowledge) {
    const isStrange = (version: number) => version < root && !this.#owner.vouchesFor(version, root);
    return outcome.error.code === 'root_rotation_refused' && [...rootsShown].some(isStrange);
  }

  /** Declared again and not signed yet, it looks as if what the new key signed were hidden: until it is signed, refused. */
  #looksHidden({ error }: TrustOutcome & { kind: 'failed' }): boolean {
    const isReleases = error.role === 'targets/releases' && this.#owner.declaredAgain.has(error.role);
    return isReleases && error.code === 'metadata_rollback';
  }

  /** I3 */
  #judgeCurrent(by: Process, outcome: TrustOutcome): void {
    const { repository } = this.#owner;
    const { expires } = repository.signed('timestamp');
    if (!(this.#now < new Date(expires))) return;
    if (outcome.kind === 'failed') {
      this.#violate(
        'current',
        by,
        `refuses an honest server: ${outcome.error.code}: ${outcome.error.message}`,
      );
      return;
    }
    const [got, now] = [versionOf(outcome.trust, 'timestamp'), repository.version('timestamp')];
    if (outcome.path === 'cold' && got !== now)
      this.#violate('current', by, `serves timestamp ${got} although the server shows ${now}`);
  }

  #remember({ known }: Session, outcome: TrustOutcome, line: Line): void {
    const isNew = outcome.kind === 'verified' && outcome.path === 'cold';
    for (const memory of [known, ...(this.#isStored ? [this.#stored] : [])]) {
      memory.see(line.rootsShown, this.#owner);
      const learned = new Knowledge();
      if (isNew) learned.learn(outcome.trust);
      memory.merge(learned);
    }
  }

  /** What the proxy would serve for the tag. */
  #decide(outcome: TrustOutcome, tag: Tag): string | undefined {
    const decision = decide({
      rule: RULE,
      unmatched: 'deny',
      canary: NO_CANARY,
      registry: 'docker.io',
      reference: { kind: 'tag', repository: GUN.slice('docker.io/'.length), tag },
      outcome,
      now: this.#now,
      suggest: false,
    });
    if (decision.kind !== 'pin' || outcome.kind !== 'verified') return undefined;
    const { digest, role } = decision.target;
    const versions = this.#owner.signedAs(role, versionOf(outcome.trust, role));
    if (!versions.some(({ tags }) => tags.get(tag) === digest)) {
      this.#violate('less', 'A', `serves ${digest} for ${tag}, which that version of ${role} does not hold`);
    }
    return digest.replace(/^sha256:0+/, 'digest ');
  }

  #session(by: Process): Session {
    const known = this.#sessions.get(by);
    if (known !== undefined) return known;
    const line = this.#server.connect();
    const cache = createTrustCache({
      sourceFor: () => line.source,
      pinFor: () => ({ kind: 'firstUse' }),
      state: this.#state(by),
      refreshMs: REFRESH_MS,
      timeoutMs: TIMEOUT_MS,
      patienceMs: PATIENCE_MS,
      now: () => this.#now,
    });
    const session = { line, cache, known: new Knowledge() };
    this.#sessions.set(by, session);
    return session;
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
        return async (...given: unknown[]) => {
          this.#busy += 1;
          try {
            const result: unknown = await member.apply(target, given);
            if (name === 'save' && !isConflict(result)) this.#isStored = true;
            return result;
          } finally {
            this.#busy -= 1;
          }
        };
      },
    });
  }

  async #removeState(): Promise<void> {
    if (this.#store === 'memory') return;
    await rm(stateFileOf(this.#store.folder, GUN), { force: true });
    this.#isRemoved = this.#isRemoved || this.#isStored;
    this.#isStored = false;
    this.#stored = new Knowledge();
  }

  /** Also when the pull that was to wait for it was answered without it. */
  get #isHolding(): boolean {
    return this.#pending.length + this.#server.held > 0;
  }

  /** Ends all that is held, in the order it began. */
  async #letGo(): Promise<void> {
    this.#release();
    const pending = this.#pending;
    this.#pending = [];
    for (const { settled } of pending) await settled;
  }

  /** Until nothing moves any more without help. */
  async #quiet(): Promise<void> {
    for (let still = 0; still < 3; still += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#busy + this.#server.busy + piecesWaiting() > 0) still = -1;
    }
  }

  #pass(ms: number): void {
    this.#now = new Date(this.#now.getTime() + ms);
  }

  #note(line: string): void {
    this.trace.push(line);
  }

  #violate(kind: Kind, by: Process, what: string): void {
    if (!this.#judged.includes(kind)) return;
    this.violation ??= `${by} ${what}`;
    this.#note(`   ✗ ${by} ${what}`);
  }
}

/** A compare-and-set that wrote nothing. */
function isConflict(result: unknown): boolean {
  return typeof result === 'object' && result !== null && 'kind' in result && result.kind === 'changed';
}

function sayOutcome(outcome: TrustOutcome): string {
  if (outcome.kind === 'failed')
    return `${outcome.path} failed ${outcome.error.code} (${outcome.error.fault})`;
  const versions = outcome.trust.roles.map(({ role, version, skipped }) => `${role} ${skipped ?? version}`);
  return `${outcome.path} ${versions.join(', ')}`;
}

export type Finding = { readonly violation: string; readonly trace: readonly string[] };

export const ALL_KINDS: readonly Kind[] = ['less', 'refused', 'current', 'broken'];

/** @returns undefined when nothing was violated */
export async function play(
  steps: readonly Step[],
  store: Store,
  judged: readonly Kind[] = ALL_KINDS,
): Promise<Finding | undefined> {
  const run = new Run(store, judged);
  await run.play(steps);
  return run.violation === undefined ? undefined : { violation: run.violation, trace: run.trace };
}
