/** The other end of check-thread.ts: one file after the other, as they come. */
import { parentPort } from 'node:worker_threads';
import { answerJob, buffersOf, type CheckJob } from './check-job.ts';

parentPort?.on('message', (job: CheckJob) => {
  const answer = answerJob(job);
  parentPort?.postMessage(answer, buffersOf(answer));
});
