/**
 * Checks metadata files so that the thread that serves pulls is never held up: a small file at once, any other in a
 * thread of its own, which the update's deadline stops whatever it is doing (docs/decisions/large-files-in-a-worker.md).
 */
import { availableParallelism } from 'node:os';
import {
  type CheckedFile,
  checkWithin,
  type FileCheck,
  type FileChecker,
  type FileKind,
  toTrustError,
} from '../trust-client/check-file.ts';
import { late, requireTime } from '../trust-client/deadline.ts';
import { invalid, TrustError } from '../trust-client/errors.ts';
import { turn } from '../trust-client/turn.ts';
import { type CheckAnswer, type CheckJob, readAnswer } from './check-job.ts';
import { type CheckThread, startCheckThread } from './check-thread.ts';
import { createTurns, type Turns } from './turns.ts';

export type CheckPoolOptions = {
  /** Threads at most. */
  readonly size?: number;
  readonly startThread?: () => CheckThread;
  /** Milliseconds since some fixed moment. */
  readonly monotonic?: () => number;
};

export type CheckPool = {
  readonly check: FileChecker;
  /** Stops every thread; what is being checked is refused as an outage. */
  close(): Promise<void>;
};

/** Bytes of a file, and of the keys that may sign it, up to which it is checked at once: parsed in a few milliseconds. */
const SMALL_BYTES = 16 * 1024;
/** Signatures checked at once; one takes a millisecond and a half at most. */
const SMALL_TRIES = 8;
/** Bytes copied without a pause. */
const SLICE_BYTES = 4 * 1024 * 1024;
/** A file of 32 MiB with as many values as fit takes two seconds; most take far less. */
const MS_PER_BYTE = 2_000 / (32 * 1024 * 1024);
/** A thread that checked a larger file is ended when nothing else waits: its memory is given back. */
const KEPT_BYTES = 4 * 1024 * 1024;

/** What waits has no bound of its own: its bytes belong to an update, and held-bytes.ts bounds what all of them hold. */
type Task = {
  readonly file: FileCheck;
  readonly gun: string;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (answer: CheckAnswer) => void;
  readonly reject: (error: unknown) => void;
};

/** A place for one thread, which is started when it is first needed. */
type Seat = {
  thread: CheckThread | undefined;
  task: Task | undefined;
  /** Who waits for what the thread says, or how it ends. */
  asked:
    | { readonly answer: (answer: CheckAnswer) => void; readonly fail: (error: unknown) => void }
    | undefined;
};

export function createCheckPool(options: CheckPoolOptions = {}): CheckPool {
  const pool = new Pool(options);
  // `check` is handed on by itself, as a FileChecker.
  return { check: (gun, file, signal) => pool.check(gun, file, signal), close: () => pool.close() };
}

class Pool {
  readonly #startThread: () => CheckThread;
  readonly #monotonic: () => number;
  readonly #seats: readonly Seat[];
  readonly #turns: Turns<Task>;
  readonly #closing = new AbortController();

  constructor({
    size = availableParallelism() > 2 ? 2 : 1,
    startThread = startCheckThread,
    monotonic = () => performance.now(),
  }: CheckPoolOptions) {
    this.#startThread = startThread;
    this.#monotonic = monotonic;
    this.#seats = Array.from({ length: size }, () => ({
      thread: undefined,
      task: undefined,
      asked: undefined,
    }));
    this.#turns = createTurns<Task>(monotonic, ({ file }) => file.bytes.length * MS_PER_BYTE);
  }

  async check<K extends FileKind>(
    gun: string,
    file: FileCheck<K>,
    signal: AbortSignal | undefined,
  ): Promise<CheckedFile<K>> {
    requireTime(gun, signal);
    if (this.#closing.signal.aborted) throw closed(gun);
    const checked = isSmall(file) ? await checkNow(gun, file, signal) : undefined;
    return checked ?? readAnswer<K>(await this.#inThread(gun, file, signal));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (let task = this.#turns.next(); task !== undefined; task = this.#turns.next())
      task.reject(closed(task.gun));
    await Promise.all(this.#seats.map(end));
  }

  #inThread(gun: string, file: FileCheck, signal: AbortSignal | undefined): Promise<CheckAnswer> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        if (this.#turns.remove(task)) reject(late(gun));
      };
      const ended =
        <T>(then: (value: T) => void) =>
        (value: T): void => {
          signal?.removeEventListener('abort', leave);
          then(value);
        };
      const task: Task = { file, gun, signal, resolve: ended(resolve), reject: ended(reject) };
      signal?.addEventListener('abort', leave, { once: true });
      this.#turns.add(task);
      this.#begin();
    });
  }

  /** Gives every free seat the task whose turn it is. */
  #begin(): void {
    const seat = this.#seats.find(({ task }) => task === undefined);
    const task = seat && this.#turns.next();
    if (seat === undefined || task === undefined) return;
    seat.task = task;
    const started = this.#monotonic();
    void this.#serve(seat, task).finally(() => {
      seat.task = undefined;
      this.#turns.done(task.gun, this.#monotonic() - started);
      this.#begin();
    });
    this.#begin();
  }

  async #serve(seat: Seat, task: Task): Promise<void> {
    try {
      const bytes = await copyOf(task.file.bytes);
      requireTime(task.gun, task.signal);
      if (this.#closing.signal.aborted) throw closed(task.gun);
      seat.thread ??= watched(seat, startOne(this.#startThread, task.gun));
      task.resolve(await ask(seat, { ...task.file, bytes }, task, this.#closing.signal));
      if (task.file.bytes.length > KEPT_BYTES && this.#turns.size === 0) await end(seat);
    } catch (error) {
      task.reject(error);
      // Whatever the thread is doing, nobody waits for it any more.
      await end(seat);
    }
  }
}

function isSmall({ bytes, keys }: FileCheck): boolean {
  const ofKeys = keys.keys.reduce((sum, key) => sum + key.bytes.length, 0);
  return bytes.length <= SMALL_BYTES && ofKeys <= SMALL_BYTES;
}

/** Everything else has its turn after it, also when it is refused: a thousand small files are one large one. */
async function checkNow<K extends FileKind>(
  gun: string,
  file: FileCheck<K>,
  signal: AbortSignal | undefined,
): Promise<CheckedFile<K> | undefined> {
  try {
    return checkWithin(file, SMALL_TRIES);
  } finally {
    await turn();
    requireTime(gun, signal);
  }
}

/** The caller's own bytes stay with it: what is remembered shares them. */
async function copyOf(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const copy = new Uint8Array(bytes.length);
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
    copy.set(bytes.subarray(at, at + SLICE_BYTES), at);
    await turn();
  }
  return copy;
}

function startOne(startThread: () => CheckThread, gun: string): CheckThread {
  try {
    return startThread();
  } catch (error) {
    throw notStarted(gun, error);
  }
}

/** A thread that ends by itself leaves its seat, and its error never goes unheard. */
function watched(seat: Seat, thread: CheckThread): CheckThread {
  const leave = (error: unknown): void => {
    if (seat.thread !== thread) return;
    seat.thread = undefined;
    seat.asked?.fail(error);
  };
  thread.on('message', (answer) => {
    if (seat.thread === thread) seat.asked?.answer(answer);
  });
  thread.on('error', leave);
  thread.on('exit', () => leave(new ThreadEnded('its thread ended')));
  return thread;
}

async function end(seat: Seat): Promise<void> {
  const { thread } = seat;
  seat.thread = undefined;
  await thread?.terminate();
}

/** One question to a thread. When it is refused the thread may still be at work, or gone. */
async function ask(
  seat: Seat,
  job: CheckJob & { readonly bytes: Uint8Array<ArrayBuffer> },
  { gun, file, signal }: Task,
  closing: AbortSignal,
): Promise<CheckAnswer> {
  let fail: (error: unknown) => void = () => undefined;
  const onTime = (): void => fail(late(gun));
  const onClose = (): void => fail(closed(gun));
  try {
    return await new Promise((resolve, reject) => {
      fail = reject;
      seat.asked = { answer: resolve, fail: (error) => reject(toRefusal(gun, file.role, error)) };
      signal?.addEventListener('abort', onTime, { once: true });
      closing.addEventListener('abort', onClose, { once: true });
      seat.thread?.postMessage(job, [job.bytes.buffer]);
    });
  } finally {
    seat.asked = undefined;
    signal?.removeEventListener('abort', onTime);
    closing.removeEventListener('abort', onClose);
  }
}

/** What ended a thread: the file that was checked, or that there is no such thread. */
function toRefusal(gun: string, role: string, error: unknown): TrustError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ERR_WORKER_OUT_OF_MEMORY')
    return invalid('size', role, `${role} takes more memory to check than a file may`, error);
  if (typeof code === 'string' && NOT_STARTED.has(code)) return notStarted(gun, error);
  // Nothing was said of the file.
  if (error instanceof ThreadEnded)
    return outage(`trust data of ${gun} could not be checked: the thread that did it ended`, error);
  return toTrustError(error, role);
}

/** It ended by itself, without an error. */
class ThreadEnded extends Error {}

const NOT_STARTED = new Set(['MODULE_NOT_FOUND', 'ERR_MODULE_NOT_FOUND', 'ERR_WORKER_INIT_FAILED']);

function notStarted(gun: string, cause: unknown): TrustError {
  return outage(`trust data of ${gun} could not be checked: no thread can be started`, cause);
}

function closed(gun: string): TrustError {
  return outage(`trust data of ${gun} was not checked: the proxy is shutting down`);
}

function outage(message: string, cause?: unknown): TrustError {
  return new TrustError('trust_unreachable', 'unreachable', message, { cause });
}
