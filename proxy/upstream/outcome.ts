/** How a request to an upstream went, in the closed set of words the metrics use (peers.md §9.2). */
import type { UpstreamError } from './errors.ts';

/** Which of a registry's servers: the registry, its trust server, or the token server of either (peers.md §9.2). */
export const UPSTREAM_KINDS = ['registry', 'notary', 'auth'] as const;
export type UpstreamKind = (typeof UPSTREAM_KINDS)[number];

export const UPSTREAM_OUTCOMES = [
  'ok',
  'not_found',
  'denied',
  'rate_limited',
  'timeout',
  'network',
  'invalid',
  'too_large',
] as const;
export type UpstreamOutcome = (typeof UPSTREAM_OUTCOMES)[number];

export type UpstreamObservation = {
  readonly upstream: string;
  readonly kind: UpstreamKind;
  readonly outcome: UpstreamOutcome;
  /** Until the headers were there. */
  readonly seconds: number;
  /** Of a failure: what happened and what an operator can do. No client is told. */
  readonly detail?: string | undefined;
};

export function outcomeOfStatus(status: number): UpstreamOutcome {
  if ((status >= 200 && status < 300) || status === 304) return 'ok';
  if (status === 401 || status === 403) return 'denied';
  if (status === 404) return 'not_found';
  return status === 429 ? 'rate_limited' : 'invalid';
}

/** @returns undefined where it says nothing about the upstream. */
export function outcomeOfError(error: UpstreamError): UpstreamOutcome | undefined {
  switch (error.kind) {
    case 'unreachable':
      return 'network';
    case 'bad_answer':
      return 'invalid';
    case 'timeout':
    case 'too_large':
    case 'denied':
      return error.kind;
    case 'no_room':
      return undefined;
  }
}
