/** Bounds made small for the time of one call, so that a test meets them in a millisecond and not with megabytes. */
import { LIMITS } from '../../proxy/trust-client/limits.ts';

type Name = keyof typeof LIMITS;

/** @returns what `run` returns; the bounds are as they were, also when it throws. */
export function withLimits<T>(lowered: Partial<Record<Name, number>>, run: () => T): T {
  const limits = LIMITS as Record<Name, number>;
  const before = { ...limits };
  Object.assign(limits, lowered);
  try {
    return run();
  } finally {
    Object.assign(limits, before);
  }
}
