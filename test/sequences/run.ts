/** One sequence: the real cache and the real updates, judged by the model after every pull. */
import { Activity } from './activity.ts';
import { Clock } from './clock.ts';
import { Fleet, REFRESH_MS, type Session, type Store } from './fleet.ts';
import { Judge } from './judge.ts';
import { GUN } from './keys.ts';
import { Knowledge } from './model.ts';
import { Owner } from './owner.ts';
import { ALL_KINDS, type Kind, Report } from './report.ts';
import { type FileKind, Server } from './server.ts';
import { describe, type Process, type Step, type Tag } from './steps.ts';

/** A pull that waits; `known` is what was known when its question to the server began. */
type Pending = {
  readonly session: Session;
  readonly known: Knowledge;
  readonly settled: Promise<void>;
  isDone: boolean;
};

class Run {
  readonly report: Report;
  readonly #clock = new Clock();
  readonly #activity = new Activity();
  readonly #owner = new Owner(this.#clock.now);
  readonly #server = new Server(this.#owner, this.#activity);
  readonly #fleet: Fleet;
  readonly #judge: Judge;
  #pending: Pending[] = [];
  /** Let go what is held, in the order it began. */
  #holds: (() => void)[] = [];

  constructor(store: Store, judged: readonly Kind[]) {
    this.report = new Report(judged);
    this.#fleet = new Fleet(store, this.#server, this.#clock, this.#activity);
    this.#judge = new Judge(this.#owner, this.#server, this.#fleet, this.#clock, this.report);
  }

  async play(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      this.report.note(() => describe(step));
      await this.#take(step);
      if (this.report.violation !== undefined) break;
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
        return this.#clock.set(step.minutes * 60_000);
      case 'remove state':
        return await this.#fleet.removeState();
      case 'release':
        return await this.#letGo();
      case 'reload':
        return this.#fleet.reload(step.by);
      case 'restart':
        return this.#fleet.restart(step.by);
      case 'hold':
        await this.#pass(REFRESH_MS + 1000);
        return await this.#pull(step.by, 'a', step.on);
      case 'pull':
        await this.#pass(step.wait * 1000);
        return await this.#pull(step.by, step.tag);
    }
  }

  async #pull(by: Process, tag: Tag, hold?: FileKind): Promise<void> {
    const session = this.#fleet.session(by);
    const { line } = session;
    if (hold !== undefined) line.hold = { on: hold, until: this.#newHold() };
    // What a question in the background was shown after the last answer; one still held may not have come to judge it.
    if (!this.#waits(session)) {
      this.#judge.see(session);
      Object.assign(line, { asked: 0, current: true });
    }
    const isHeld = this.#isHolding || hold !== undefined;
    const pending = this.#ask(session, by, tag, isHeld);
    // One that is answered while its question is held goes on without it.
    if (!isHeld) await pending.settled;
    await this.#quiet();
    line.hold = undefined;
    // An answer may be given before its question to the server ends, which may save a root then.
    if (pending.isDone && !this.#waits(session)) this.#judge.see(session);
    if (!pending.isDone) {
      this.report.note(() => '   … is still waiting');
      this.#pending.push(pending);
    }
  }

  #ask(session: Session, by: Process, tag: Tag, isHeld: boolean): Pending {
    const before = new Knowledge().merge(session.known);
    // One that joins a question under way gets what was true when that began.
    const joined = this.#pending.find((it) => it.session === session && !it.isDone);
    const all = joined?.known ?? new Knowledge().merge(session.known).merge(this.#fleet.stored);
    const pending: Pending = {
      session,
      known: all,
      isDone: false,
      settled: session.cache.trustFor('docker.io', GUN).then(
        (outcome) => {
          pending.isDone = true;
          const known = session.line.asked > 0 ? all : before;
          this.#judge.judge({ by, tag, session, outcome, known, isHeld });
        },
        (error: unknown) => {
          pending.isDone = true;
          this.report.violate('broken', by, `threw ${error instanceof Error ? error.stack : error}`);
        },
      ),
    };
    return pending;
  }

  #waits(session: Session): boolean {
    return this.#pending.some((it) => it.session === session && !it.isDone);
  }

  /** Also when the pull that was to wait for it was answered without it. */
  get #isHolding(): boolean {
    return this.#pending.length + this.#server.held > 0;
  }

  #newHold(): Promise<void> {
    return new Promise((resolve) => {
      this.#holds.push(resolve);
    });
  }

  /** Ends all that is held, one after the other: where two go on at once, the machine decides which is first. */
  async #letGo(): Promise<void> {
    const [holds, pending] = [this.#holds, this.#pending];
    [this.#holds, this.#pending] = [[], []];
    for (const release of holds) {
      release();
      await this.#quiet();
    }
    for (const { settled } of pending) await settled;
  }

  /** Until nothing moves without help. Whoever waits no time at all waits until then. */
  async #quiet(): Promise<void> {
    do await this.#activity.over();
    while (this.#clock.fireDue());
  }

  #pass(ms: number): Promise<void> {
    return this.#clock.pass(ms, () => this.#quiet());
  }
}

export async function play(
  steps: readonly Step[],
  store: Store,
  judged: readonly Kind[] = ALL_KINDS,
): Promise<Report> {
  const run = new Run(store, judged);
  await run.play(steps);
  return run.report;
}
