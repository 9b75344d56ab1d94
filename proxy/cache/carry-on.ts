/** What the proxy answers with while the trust server is unavailable: the newest verified trust data, never older. */

import type { Gun } from '../names/reference.ts';
import type { FileChecker } from '../trust-client/check-file.ts';
import { TrustError } from '../trust-client/errors.ts';
import { inTime } from '../trust-client/memory.ts';
import type { RootPin } from '../trust-client/root-trust.ts';
import type { VerifiedRepository } from '../trust-client/targets.ts';
import type { TrustState } from '../trust-client/types.ts';
import { restoreTrust } from '../trust-client/update.ts';
import { type After, withDeadline } from '../upstream/deadline.ts';
import { sharedByKey } from '../upstream/flights.ts';

/** How long the state is waited for when an earlier answer is to be used, in milliseconds. */
export const STATE_MS = 1_000;

export type CarryOnOptions = {
  readonly state: TrustState;
  readonly pinFor: (gun: Gun) => RootPin;
  readonly check?: FileChecker;
  readonly now: () => Date;
  readonly after?: After;
};

/** @param leftMs of the time of the question; checking what is stored gets no less than the state itself. */
type CarryOn = (
  gun: Gun,
  previous: VerifiedRepository | undefined,
  leftMs?: number,
) => Promise<VerifiedRepository | undefined>;

/**
 * The answer in memory if the state still holds just that, otherwise what the state holds. So keys that were replaced
 * carry nothing.
 */
export function createCarryOn(options: CarryOnOptions): CarryOn {
  const { pinFor, check, now, after } = options;
  const state = prompt(options.state, after);
  /** One restoring of a repository, however many wait for it. */
  const shared = sharedByKey<VerifiedRepository>();

  const restore = (gun: Gun, ms: number): Promise<VerifiedRepository> =>
    withDeadline(
      ms,
      undefined,
      (signal) => restoreTrust(state, gun, pinFor(gun), now(), { check, signal }),
      after,
    );

  return async (gun, previous, leftMs = 0) => {
    try {
      const stamp = previous && (await state.stampOf(gun));
      if (previous !== undefined && stamp === previous.stamp) return previous;
    } catch (error) {
      if (!(error instanceof TrustError)) throw error;
      // A disk that does not answer says nothing against what is in memory.
      return error.code === 'deadline_exceeded' ? previous : undefined;
    }
    try {
      return await shared(gun, () => restore(gun, Math.max(STATE_MS, leftMs)));
    } catch (error) {
      if (!(error instanceof TrustError)) throw error;
      // Nothing remembered, no longer valid, or not checked in time: the failure itself is the answer.
      return undefined;
    }
  };
}

/** The state, each question to it answered within `STATE_MS`. */
function prompt(state: TrustState, after: After | undefined): TrustState {
  const within = <T>(gun: Gun, ask: (timely: TrustState) => Promise<T>): Promise<T> =>
    withDeadline(STATE_MS, undefined, (signal) => ask(inTime(state, gun, signal)), after);
  return {
    load: (gun, admit) => within(gun, (timely) => timely.load(gun, admit)),
    has: (gun) => within(gun, (timely) => timely.has(gun)),
    stampOf: (gun) => within(gun, (timely) => timely.stampOf(gun)),
    save: (gun, trust, replaces) => within(gun, (timely) => timely.save(gun, trust, replaces)),
  };
}
