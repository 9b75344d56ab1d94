/** The metrics about trust data: how its refreshes go, what was refused, how old it is. */
import type { Registry } from 'prom-client';
import { TRUST_CAUSES, type TrustCause } from '../trust-client/errors.ts';
import type { RoleStatus } from '../trust-client/types.ts';
import type { RuleLabels } from './decision-labels.ts';
import type { DecisionRecord } from './decisions.ts';
import { counter, fold, gauge, type KnownNames } from './instrument.ts';
import { createTrustGauges, type TrustSeries } from './trust-gauges.ts';

/** `rejected`: the server answered, and the answer was not accepted; `failed`: there was no usable answer. */
const REFRESH_RESULTS = ['updated', 'unchanged', 'failed', 'rejected'] as const;
export type RefreshResult = (typeof REFRESH_RESULTS)[number];

export function createTrustMetrics(registry: Registry, known: KnownNames, now: () => Date) {
  const refreshes = counter(registry, 'trust_refresh_total', 'Refreshes of trust data.', [
    'upstream',
    'result',
  ]);
  const rejections = counter(
    registry,
    'trust_rejected_total',
    'Trust data that was rejected: an attack or a mistake.',
    ['upstream', 'cause'],
  );
  const stale = counter(
    registry,
    'trust_stale_served_total',
    'Decisions made with older trust data during an outage.',
    ['rule'],
  );
  const ages = createTrustGauges();
  watchTrustGauges(registry, () => ages.series(now()));
  return {
    expect: (
      rules: readonly RuleLabels[],
      registries: readonly string[],
      patterns: readonly string[],
    ): void => {
      ages.nameRepositories(patterns);
      for (const { name: rule } of rules) stale.inc({ rule }, 0);
      for (const upstream of registries) {
        for (const result of REFRESH_RESULTS) refreshes.inc({ upstream, result }, 0);
        for (const cause of TRUST_CAUSES) rejections.inc({ upstream, cause }, 0);
      }
    },
    refreshed: (upstream: string, result: RefreshResult): void =>
      refreshes.inc({ upstream: fold(known.registries, upstream), result }),
    rejected: (upstream: string, cause: TrustCause): void =>
      rejections.inc({ upstream: fold(known.registries, upstream), cause }),
    verified: (gun: string, roles: readonly RoleStatus[]): void => ages.verified(gun, roles, now()),
    decision: ({ gun, at, path, rule }: DecisionRecord): void => {
      ages.used(gun, at);
      if (path === 'stale') stale.inc({ rule: fold(known.rules, rule) });
    },
  };
}

function watchTrustGauges(registry: Registry, read: () => TrustSeries) {
  const byRole = ['repository', 'role'] as const;
  const expiryHelp = 'When metadata expires, as Unix time; for `other`, the first among those in use.';
  const expiry = gauge(registry, 'trust_expiry_timestamp_seconds', expiryHelp, byRole, () => {
    expiry.reset();
    for (const { value, ...labels } of read().expiry) expiry.set(labels, value);
  });
  const versions = gauge(registry, 'trust_metadata_version', 'Version of verified metadata.', byRole, () => {
    versions.reset();
    for (const { value, ...labels } of read().versions) versions.set(labels, value);
  });
  const successHelp =
    'When trust data was last verified, as Unix time; for `other`, the oldest among those in use.';
  const success = gauge(registry, 'trust_last_success_timestamp_seconds', successHelp, ['repository'], () => {
    success.reset();
    for (const { value, ...labels } of read().lastSuccess) success.set(labels, value);
  });
}
