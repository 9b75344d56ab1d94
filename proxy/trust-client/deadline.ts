import { TrustError } from './errors.ts';

type Missed = 'was not verified' | 'did not arrive';

export function late(gun: string, missed: Missed = 'was not verified', cause?: unknown): TrustError {
  const message = `trust data of ${gun} ${missed} in time`;
  return new TrustError('deadline_exceeded', 'deadline', message, { cause });
}

/** @throws TrustError `deadline_exceeded` when time is up. */
export function requireTime(
  gun: string,
  signal: AbortSignal | undefined,
  missed?: Missed,
  cause?: unknown,
): void {
  if (signal?.aborted === true) throw late(gun, missed, cause);
}
