/**
 * Who may ask the trust server next for a repository nothing is known of yet. Names cost nothing to make up, so one
 * client must neither fill the queue for all nor stand in front of another: a place of its own for each client, one
 * after the other, and those whose repository was verified before go first.
 */
import { TrustError } from '../trust-client/errors.ts';

export type ColdLimits = {
  /** Resolutions under way at once, for all clients. */
  readonly running: number;
  /** Of them, those that one client's questions started. */
  readonly runningPerClient: number;
  /** Questions that wait, for all clients. */
  readonly waiting: number;
  /** Of them, those of one client. */
  readonly waitingPerClient: number;
};

export const COLD_LIMITS: ColdLimits = {
  running: 32,
  runningPerClient: 16,
  waiting: 8_192,
  waitingPerClient: 512,
};

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
  ask(client: string, key: string, work: () => Promise<Result>, options: AskOptions): Promise<Result>;
  size(): { readonly running: number; readonly waiting: number };
};

type Ticket<Result> = {
  readonly key: string;
  readonly work: () => Promise<Result>;
  readonly result: Promise<Result>;
  readonly settle: (result: Result | PromiseLike<Result>) => void;
  readonly refuse: (error: TrustError) => void;
  /** Clients in whose line it stands. */
  readonly clients: Set<string>;
};

export function createColdQueue<Result>(limits: ColdLimits = COLD_LIMITS): ColdQueue<Result> {
  /** In the order of turns: a client that had its turn goes to the end. */
  const lines = new Map<string, Set<Ticket<Result>>>();
  const known = new Set<Ticket<Result>>();
  const tickets = new Map<string, Ticket<Result>>();
  const runningOf = new Map<string, number>();
  let running = 0;
  let waiting = 0;

  const stand = (client: string, ticket: Ticket<Result>): void => {
    if (ticket.clients.has(client)) return;
    const line = lines.get(client) ?? new Set();
    if (line.size >= limits.waitingPerClient) throw tooMany();
    if (waiting >= limits.waiting) makeRoom(line.size);
    ticket.clients.add(client);
    lines.set(client, line.add(ticket));
    waiting += 1;
  };

  const leave = (client: string, ticket: Ticket<Result>): void => {
    const line = lines.get(client);
    if (line?.delete(ticket) !== true) return;
    ticket.clients.delete(client);
    waiting -= 1;
    if (line.size === 0) lines.delete(client);
  };

  /** The longest line gives up its last place: its client alone is the one that asks for too much. */
  const makeRoom = (own: number): void => {
    const [client, line] = [...lines].reduce((longest, next) =>
      next[1].size > longest[1].size ? next : longest,
    );
    const last = [...line].at(-1);
    if (last === undefined || line.size <= own + 1) throw tooMany();
    leave(client, last);
    if (last.clients.size > 0) return;
    known.delete(last);
    tickets.delete(last.key);
    last.refuse(tooMany());
  };

  const start = (client: string, ticket: Ticket<Result>): void => {
    for (const each of [...ticket.clients]) leave(each, ticket);
    known.delete(ticket);
    running += 1;
    runningOf.set(client, (runningOf.get(client) ?? 0) + 1);
    ticket.settle(
      ticket.work().finally(() => {
        running -= 1;
        const left = (runningOf.get(client) ?? 1) - 1;
        if (left === 0) runningOf.delete(client);
        else runningOf.set(client, left);
        tickets.delete(ticket.key);
        advance();
      }),
    );
  };

  const advance = (): void => {
    while (running < limits.running) {
      const next = pick();
      if (next === undefined) return;
      start(...next);
    }
  };

  const pick = (): [string, Ticket<Result>] | undefined => {
    const mayRun = (client: string) => (runningOf.get(client) ?? 0) < limits.runningPerClient;
    for (const ticket of known) {
      const client = [...ticket.clients].find(mayRun);
      if (client !== undefined) return [client, ticket];
    }
    for (const [client, line] of lines) {
      const [ticket] = line;
      if (ticket === undefined || !mayRun(client)) continue;
      lines.delete(client);
      lines.set(client, line);
      return [client, ticket];
    }
    return undefined;
  };

  const ask: ColdQueue<Result>['ask'] = async (client, key, work, { isKnown, maxWaitMs }) => {
    const there = tickets.get(key);
    const ticket = there ?? createTicket(key, work);
    // One that runs already stands in no line.
    if (there === undefined || there.clients.size > 0) stand(client, ticket);
    tickets.set(key, ticket);
    advance();
    if (ticket.clients.size === 0) return await ticket.result;
    if (there === undefined) {
      const prefer = (isIt: boolean): void => {
        if (isIt && ticket.clients.size > 0) known.add(ticket);
        advance();
      };
      isKnown().then(prefer, () => undefined);
    }
    return await inTime(ticket, key, maxWaitMs);
  };

  return { ask, size: () => ({ running, waiting }) };
}

/** A ticket that waits on is for those who ask later. */
async function inTime<Result>(ticket: Ticket<Result>, gun: string, ms: number): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      if (ticket.clients.size > 0) reject(tooLate(gun));
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

function createTicket<Result>(key: string, work: () => Promise<Result>): Ticket<Result> {
  let settle: Ticket<Result>['settle'] = () => undefined;
  let refuse: Ticket<Result>['refuse'] = () => undefined;
  const result = new Promise<Result>((resolve, reject) => {
    settle = resolve;
    refuse = reject;
  });
  // Each asker meets its failure; that nobody is left to meet it is no fault.
  result.catch(() => undefined);
  return { key, work, result, settle, refuse, clients: new Set() };
}

function tooMany(): TrustError {
  return new TrustError(
    'trust_unreachable',
    'unreachable',
    'this client asks for more repositories without known trust data than it may at once; try again later',
  );
}
