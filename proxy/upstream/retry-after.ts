/** An upstream's own word on when to ask again, bounded: clients wait for as long as it says (registry-clients.md §2.4). */
import type { UpstreamHeaders } from './headers.ts';

/** Longest wait handed on, in seconds. Docker Hub counts in windows of six hours; a client that asks earlier is told again. */
export const MAX_RETRY_AFTER_SECONDS = 3600;

/** The one form of a date that servers may send (RFC 9110 §5.6.7). */
const DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/**
 * @param now milliseconds since 1970, for dates.
 * @returns whole seconds; undefined for anything that is neither a number nor a date.
 */
export function retryAfterOf(headers: UpstreamHeaders, now: number = Date.now()): string | undefined {
  const [value = '', ...others] = headers.get('retry-after') ?? [];
  const seconds = others.length > 0 ? Number.NaN : toSeconds(value.trim(), now);
  return Number.isNaN(seconds) ? undefined : String(Math.min(seconds, MAX_RETRY_AFTER_SECONDS));
}

function toSeconds(value: string, now: number): number {
  if (/^\d{1,20}$/.test(value)) return Number(value);
  // A date that is over says "now".
  return DATE.test(value) ? Math.max(0, Math.ceil((Date.parse(value) - now) / 1000)) : Number.NaN;
}
