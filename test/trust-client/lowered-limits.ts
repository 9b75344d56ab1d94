/** Bounds made small for the time of one call, so that a test meets them in a millisecond and not with megabytes. */
import { LIMITS } from '../../proxy/trust-client/limits.ts';

type Limits = Record<keyof typeof LIMITS, number>;

/** @returns what `run` returns; the bounds are as they were, also when it throws. */
export function withLimits<T>(lowered: Partial<Limits>, run: () => T): T {
  const restore = lower(lowered);
  try {
    return run();
  } finally {
    restore();
  }
}

/** The same until what `run` began has ended. */
export async function withLimitsUntilDone<T>(lowered: Partial<Limits>, run: () => Promise<T>): Promise<T> {
  const restore = lower(lowered);
  return await run().finally(restore);
}

function lower(lowered: Partial<Limits>): () => void {
  const limits = LIMITS as Limits;
  const before = { ...limits };
  Object.assign(limits, lowered);
  return () => void Object.assign(limits, before);
}
