/**
 * Who may ask the trust server next for a repository nothing is known of yet. Names cost nothing to make up, so one
 * client must neither fill the queue for all nor stand in front of another: a line of its own for each client, one
 * after the other, and those whose repository was verified before go first. And a server that hangs must hold up nobody
 * who asks another one: each has lines of its own, and of the places to run at most as many as it leaves free.
 */
import { TrustError } from '../trust-client/errors.ts';

export type ColdLimits = {
  /** Resolutions under way at once, for all clients and servers; those of one server are half of them when it is alone. */
  readonly running: number;
  /** Of them, those that one client's questions to one server started. */
  readonly runningPerClient: number;
  /** Questions that wait, for all clients and servers. */
  readonly waiting: number;
  /** Of them, those of one client to one server. */
  readonly waitingPerClient: number;
};

export const COLD_LIMITS: ColdLimits = {
  running: 64,
  runningPerClient: 16,
  waiting: 8_192,
  waitingPerClient: 512,
};

/** Who asks, and whom. */
export type Asking = { readonly client: string; readonly server: string };

export type AskOptions = {
  /** Whether something was verified before; asked only of those that have to wait. */
  readonly isKnown: () => Promise<boolean>;
  /** Longest wait for the turn, in milliseconds; what runs then is not counted. */
  readonly maxWaitMs: number;
};

export type ColdQueue<Result> = {
  /**
   * Runs the work of this key once, when it is this client's turn, or joins the one that waits or runs.
   *
   * @throws TrustError `trust_unreachable` when this client already asks for too much, `deadline_exceeded` when its turn
   * did not come in time.
   */
  ask(asking: Asking, key: string, work: () => Promise<Result>, options: AskOptions): Promise<Result>;
  size(): { readonly running: number; readonly waiting: number };
};

type Ticket<Result> = {
  readonly server: string;
  readonly key: string;
  readonly work: () => Promise<Result>;
  readonly result: Promise<Result>;
  readonly settle: (result: Result | PromiseLike<Result>) => void;
  readonly refuse: (error: TrustError) => void;
  /** Lines it stands in. */
  readonly lines: Set<string>;
};

export function createColdQueue<Result>(limits: ColdLimits = COLD_LIMITS): ColdQueue<Result> {
  return new FairQueue(limits);
}

class FairQueue<Result> implements ColdQueue<Result> {
  readonly #limits: ColdLimits;
  /** In the order of turns, one for each client and server: whoever had his turn goes to the end. */
  readonly #lines = new Map<string, Set<Ticket<Result>>>();
  readonly #known = new Set<Ticket<Result>>();
  readonly #tickets = new Map<string, Ticket<Result>>();
  readonly #runningOfLine = createCounts();
  readonly #runningOfServer = createCounts();
  #running = 0;
  #waiting = 0;

  constructor(limits: ColdLimits) {
    this.#limits = limits;
  }

  async ask(
    { client, server }: Asking,
    key: string,
    work: () => Promise<Result>,
    { isKnown, maxWaitMs }: AskOptions,
  ): Promise<Result> {
    const there = this.#tickets.get(key);
    const ticket = there ?? createTicket(server, key, work);
    // One that runs already stands in no line.
    if (there === undefined || there.lines.size > 0) this.#stand(JSON.stringify([client, server]), ticket);
    this.#tickets.set(key, ticket);
    this.#advance();
    if (ticket.lines.size === 0) return await ticket.result;
    if (there === undefined) {
      const prefer = (isIt: boolean): void => {
        if (isIt && ticket.lines.size > 0) this.#known.add(ticket);
        this.#advance();
      };
      isKnown().then(prefer, () => undefined);
    }
    return await inTime(ticket, key, maxWaitMs);
  }

  size(): { readonly running: number; readonly waiting: number } {
    return { running: this.#running, waiting: this.#waiting };
  }

  #stand(name: string, ticket: Ticket<Result>): void {
    if (ticket.lines.has(name)) return;
    const line = this.#lines.get(name) ?? new Set();
    if (line.size >= this.#limits.waitingPerClient) throw tooMany();
    const tooLong = this.#waiting < this.#limits.waiting ? undefined : this.#longerThan(line.size);
    ticket.lines.add(name);
    this.#lines.set(name, line.add(ticket));
    this.#waiting += 1;
    // After it stands: what is asked for here may be the very one that the other line gives up.
    if (tooLong !== undefined) this.#shorten(tooLong);
  }

  #leave(name: string, ticket: Ticket<Result>): void {
    const line = this.#lines.get(name);
    if (line?.delete(ticket) !== true) return;
    ticket.lines.delete(name);
    this.#waiting -= 1;
    if (line.size === 0) this.#lines.delete(name);
  }

  /** The longest line: its client alone is the one that asks for too much. @throws TrustError when that is this one. */
  #longerThan(own: number): string {
    const [name, line] = [...this.#lines].reduce((longest, next) =>
      next[1].size > longest[1].size ? next : longest,
    );
    if (line.size <= own + 1) throw tooMany();
    return name;
  }

  /** The line gives up its last place. */
  #shorten(name: string): void {
    const last = [...(this.#lines.get(name) ?? [])].at(-1);
    if (last === undefined) return;
    this.#leave(name, last);
    if (last.lines.size > 0) return;
    this.#known.delete(last);
    this.#tickets.delete(last.key);
    last.refuse(tooMany());
  }

  #advance(): void {
    while (this.#running < this.#limits.running) {
      const next = this.#pick();
      if (next === undefined) return;
      this.#start(...next);
    }
  }

  #pick(): [string, Ticket<Result>] | undefined {
    const mayRun = (name: string): boolean => this.#runningOfLine.of(name) < this.#limits.runningPerClient;
    const hasPlace = ({ server }: Ticket<Result>): boolean =>
      this.#runningOfServer.of(server) < this.#limits.running - this.#running;
    for (const ticket of this.#known) {
      const name = hasPlace(ticket) ? [...ticket.lines].find(mayRun) : undefined;
      if (name !== undefined) return [name, ticket];
    }
    for (const [name, line] of this.#lines) {
      const [ticket] = line;
      if (ticket === undefined || !mayRun(name) || !hasPlace(ticket)) continue;
      this.#lines.delete(name);
      this.#lines.set(name, line);
      return [name, ticket];
    }
    return undefined;
  }

  #start(name: string, ticket: Ticket<Result>): void {
    for (const each of [...ticket.lines]) this.#leave(each, ticket);
    this.#known.delete(ticket);
    this.#running += 1;
    this.#runningOfLine.add(name, 1);
    this.#runningOfServer.add(ticket.server, 1);
    ticket.settle(
      ticket.work().finally(() => {
        this.#running -= 1;
        this.#runningOfLine.add(name, -1);
        this.#runningOfServer.add(ticket.server, -1);
        this.#tickets.delete(ticket.key);
        this.#advance();
      }),
    );
  }
}

/** A ticket that waits on is for those who ask later. */
async function inTime<Result>(ticket: Ticket<Result>, gun: string, ms: number): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      if (ticket.lines.size > 0) reject(tooLate(gun));
    }, ms);
  });
  try {
    return await Promise.race([ticket.result, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The turn did not come in time. */
export function tooLate(gun: string): TrustError {
  return new TrustError(
    'deadline_exceeded',
    'deadline',
    `the turn of ${gun} to be asked for did not come in time`,
  );
}

function createCounts() {
  const counts = new Map<string, number>();
  return {
    of: (name: string): number => counts.get(name) ?? 0,
    add(name: string, more: number): void {
      const count = (counts.get(name) ?? 0) + more;
      if (count === 0) counts.delete(name);
      else counts.set(name, count);
    },
  };
}

function createTicket<Result>(server: string, key: string, work: () => Promise<Result>): Ticket<Result> {
  let settle: Ticket<Result>['settle'] = () => undefined;
  let refuse: Ticket<Result>['refuse'] = () => undefined;
  const result = new Promise<Result>((resolve, reject) => {
    settle = resolve;
    refuse = reject;
  });
  // Each asker meets its failure; that nobody is left to meet it is no fault.
  result.catch(() => undefined);
  return { server, key, work, result, settle, refuse, lines: new Set() };
}

function tooMany(): TrustError {
  return new TrustError(
    'trust_unreachable',
    'unreachable',
    'this client asks for more repositories without known trust data than it may at once; try again later',
  );
}
