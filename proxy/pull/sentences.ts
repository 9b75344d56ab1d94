/** What a person is told when the registry, not policy, is why a pull fails: the cause, then what to do next. */
import type { DenyReason } from '../reason.ts';
import type { Refusal } from '../wire/types.ts';

export type FailureReason = Extract<
  DenyReason,
  | 'registry_unreachable'
  | 'digest_mismatch'
  | 'signed_digest_missing'
  | 'deadline_exceeded'
  | 'trust_unreachable'
>;

const NEXT_STEPS = {
  registry_unreachable: "try again later or ask this proxy's operator to check the registry",
  digest_mismatch: "nothing was served; ask this proxy's operator to check the registry",
  signed_digest_missing: 'push and sign it again or pull another signed tag',
  deadline_exceeded: 'try again',
  trust_unreachable: "try again later or ask this proxy's operator to check the trust server",
} as const satisfies Record<FailureReason, string>;

/** @param what in our own words, with nothing in it that an upstream wrote. */
export function toSentence(image: string, reason: FailureReason, what: string): string {
  return `${image} cannot be served: ${what}; ${NEXT_STEPS[reason]}`;
}

export type Failed = {
  readonly reason: FailureReason;
  readonly what: string;
  readonly retryAfter?: string | undefined;
};

export function toRefusal(image: string, { reason, what, retryAfter }: Failed): Refusal {
  return { reason, message: toSentence(image, reason, what), retryAfter };
}
