/** A failure of a server as the refusal of one image. */
import type { Refusal } from '../wire/types.ts';
import { type FailureReason, sayFailed } from '../words.ts';

export type Failed = {
  readonly reason: FailureReason;
  readonly what: string;
  readonly retryAfter?: string | undefined;
};

export function toRefusal(image: string, { reason, what, retryAfter }: Failed): Refusal {
  return { reason, message: sayFailed(image, reason, what), retryAfter };
}
