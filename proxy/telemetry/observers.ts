/** Observers of the trust cache and the pull port: they count events, and log those that operators must see. */

import type { TrustCacheObserver } from '../cache/trust-cache.ts';
import type { RegistryConfig } from '../config/types.ts';
import type { ConnectEvent } from '../listen/connect.ts';
import type { UpstreamObservation } from '../upstream/outcome.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { MAX_SHOWN_ROLES, type TrustStatus, toShownRoles } from './trust-status.ts';
import { createUpstreamLog } from './upstream-log.ts';

/** Repositories shown on the status page. */
const MAX_TRUST_STATUS = 1000;

export type TrustObserverOptions = {
  readonly metrics: Metrics;
  readonly log: Log;
  readonly status: Map<string, TrustStatus>;
  readonly now: () => Date;
  /** The address of a registry's trust server, by the registry's name. */
  readonly serverOf: (registry: string) => string | undefined;
};

/** Every answer of a trust server, counted; every failure also logged with its detail, which no client is shown. */
export function observeTrust(options: TrustObserverOptions): TrustCacheObserver {
  const { metrics, log, status, now, serverOf } = options;
  return {
    cache: (result) => metrics.cacheRequest('trust', result),
    shared: () => metrics.singleFlightShared('trust'),
    updated: (registry, trust, result) => {
      metrics.trustRefreshed(registry, result);
      metrics.trustVerified(trust.gun, trust.roles);
      const { gun, expires, firstToExpire, roles } = trust;
      if (status.has(gun) || status.size < MAX_TRUST_STATUS) {
        status.set(gun, { gun, expires, firstToExpire, roles: toShownRoles(roles), verifiedAt: now() });
      }
      const skipped = roles.filter((role) => role.skipped === 'expired' || role.skipped === 'threshold');
      if (result === 'updated' && skipped.length > 0) {
        const names = skipped.slice(0, MAX_SHOWN_ROLES).map(({ role, skipped: why }) => `${role} (${why})`);
        log.warn(
          { gun, roles: names },
          'delegations are skipped, as Docker does; tags may come from targets instead',
        );
      }
    },
    failed: (registry, error) => {
      const isRejected = !error.isOutage && error.fault !== 'absent' && error.fault !== 'state';
      metrics.trustRefreshed(registry, isRejected ? 'rejected' : 'failed');
      if (isRejected) metrics.trustRejected(registry, error.fault);
      const { code, fault, role, message } = error;
      // A registry and its trust server are different hosts, and a deadline does not say which was waited for.
      const server = serverOf(registry);
      log.warn(
        { registry, server, reason: code, fault, role, detail: message },
        'trust could not be established',
      );
    },
  };
}

/** Counts every answer of an upstream, and logs when one begins to fail and when it answers again. */
export function observeUpstreams(
  metrics: Metrics,
  log: Log,
  configured: (registry: string) => RegistryConfig | undefined,
): (observation: UpstreamObservation) => void {
  const tell = createUpstreamLog({
    log,
    // A token server is where the upstream says; the detail names it.
    serverOf: (registry, kind) => {
      const { upstream, trust } = configured(registry) ?? {};
      return { registry: upstream, notary: trust?.server, auth: undefined }[kind];
    },
    monotonic: () => performance.now(),
  });
  return ({ detail, ...answer }) => {
    metrics.upstreamRequest(answer);
    tell({ ...answer, detail });
  };
}

/** Counts every CONNECT, and logs each that failed or was refused: the client may show only a status code. */
export function observeConnect(metrics: Metrics, log: Log) {
  return ({ requestId, target, client, identity, result, message }: ConnectEvent): void => {
    metrics.connectAnswered(result);
    const level = { terminated: 'debug', tunnelled: 'debug', refused: 'warn', failed: 'warn' } as const;
    log[level[result]](
      { request_id: requestId, target, client, identity, result, detail: message },
      'connect',
    );
  };
}
