import { TrustError } from './errors.ts';

/** @throws TrustError `deadline_exceeded` when time is up. */
export function requireTime(gun: string, signal: AbortSignal | undefined, cause?: unknown): void {
  if (signal?.aborted !== true) return;
  throw new TrustError('deadline_exceeded', 'deadline', `trust data of ${gun} was not verified in time`, {
    cause,
  });
}
