/** Stands in for a thread: answers as a real one does, in this one, or does what a test makes it do. */
import { answerJob, type CheckAnswer, type CheckJob } from '../../proxy/threads/check-job.ts';
import type { CheckThread } from '../../proxy/threads/check-thread.ts';

export class FakeThread implements CheckThread {
  readonly jobs: CheckJob[] = [];
  terminated = 0;
  /** When false, jobs are taken and nothing comes back until `answer` is called. */
  answers = true;
  readonly #listeners = new Map<string, ((value: never) => void)[]>();

  postMessage(job: CheckJob, transfer: readonly ArrayBuffer[]): void {
    const { bytes } = job;
    this.jobs.push(structuredClone({ ...job, bytes }, { transfer: [...transfer] }));
    if (this.answers) this.answer();
  }

  /** Answers the last job. */
  answer(): void {
    const job = this.jobs.at(-1);
    if (job !== undefined) this.emit('message', structuredClone(answerJob(job)) as CheckAnswer);
  }

  on(event: string, listener: (value: never) => void): void {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
  }

  emit(event: 'message' | 'error' | 'exit', value?: unknown): void {
    setImmediate(() => {
      for (const listener of this.#listeners.get(event) ?? []) listener(value as never);
    });
  }

  async terminate(): Promise<void> {
    this.terminated += 1;
    this.emit('exit');
  }
}
