import { type ChildProcess, fork } from 'node:child_process';
import { resolve } from 'node:path';

export interface Result {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Job {
  readonly command: string;
  readonly args: readonly string[];
  readonly options: {
    readonly cwd: string | undefined;
    readonly env: Readonly<Record<string, string>>;
    /** Milliseconds, after which it is killed. */
    readonly timeout: number;
  };
  readonly input: string;
}

type Reply = { readonly id: number } & ({ readonly result: Result } | { readonly failure: string });
type Waiting = { readonly resolve: (result: Result) => void; readonly reject: (error: Error) => void };

/** A small process that runs programs for this large one. */
export class Launcher {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #jobs = 0;

  constructor() {
    // From the repository's root, where npm starts the tests and the bench.
    this.#child = fork(resolve('test/real/run-programs.mjs'), { execArgv: [] });
    this.#child.on('message', (reply) => this.#settle(reply as Reply));
    this.#child.on('exit', () => this.#failAll('the launcher ended'));
    this.#child.on('error', (error) => this.#failAll(error.message));
  }

  /** A status other than 0 is an answer, not an error; a signal is status 128. */
  run(job: Job): Promise<Result> {
    this.#jobs += 1;
    const id = this.#jobs;
    return new Promise((settle, reject) => {
      this.#waiting.set(id, { resolve: settle, reject });
      this.#child.send({ id, ...job });
    });
  }

  close(): void {
    if (this.#child.connected) this.#child.disconnect();
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ('result' in reply) waiting?.resolve(reply.result);
    else waiting?.reject(new Error(reply.failure));
  }

  #failAll(why: string): void {
    for (const { reject } of this.#waiting.values()) reject(new Error(why));
    this.#waiting.clear();
  }
}
