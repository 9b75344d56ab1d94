/**
 * The proxy's metrics under the names of peers.md §9.2: one narrow function for each thing that happens.
 *
 * No label carries a tag, a digest, a client or a name the configuration does not contain: every value is from a
 * closed set in this project, a configured name, or `other`. instruments.ts has the metrics themselves.
 */
import { collectDefaultMetrics, Registry } from 'prom-client';
import { CANARY_RULE, NO_RULE } from '../policy/types.ts';
import type { TrustCause } from '../trust-client/errors.ts';
import type { RoleStatus } from '../trust-client/types.ts';
import { createCanaryMetrics } from './canary-instruments.ts';
import { type ConnectResult, createConnectMetrics } from './connect-instruments.ts';
import type { RuleLabels } from './decision-labels.ts';
import type { DecisionMetrics } from './decisions.ts';
import { counter, type KnownNames } from './instrument.ts';
import {
  type AskedCache,
  type CacheName,
  type CacheResult,
  type CacheSize,
  createCacheMetrics,
  createDecisionMetrics,
  createHttpMetrics,
  createPolicyMetrics,
  createUpstreamMetrics,
  type FlightKind,
  type HttpAnswer,
  type HttpRoute,
  setBuildInfo,
  type UpstreamAnswer,
} from './instruments.ts';
import { createTrustMetrics, type RefreshResult } from './trust-instruments.ts';

/** The names a configuration brings; replaced as a whole when the configuration is read again. */
export type ConfiguredNames = {
  /** Identifies the policy in force; replicas must agree on it. */
  readonly hash: string;
  readonly rules: readonly RuleLabels[];
  /** Names of the configured registries. */
  readonly registries: readonly string[];
  /** Patterns of rules and pins; those without a wildcard get series of their own. */
  readonly repositories: readonly string[];
};

export type MetricsOptions = ConfiguredNames & {
  readonly version: string;
  /** The commit this was built from, or an empty text. */
  readonly revision: string;
  /** The Node version, as `process.version` has it. */
  readonly node: string;
  readonly now?: () => Date;
  /** Collect prom-client's `process_*` and `nodejs_*` metrics, once a process; default true. */
  readonly processMetrics?: boolean;
};

export type RenderedMetrics = { readonly contentType: string; readonly body: string };

export interface Metrics extends DecisionMetrics {
  /** A request came in; the returned function says that its answer has ended, however often it is called. */
  requestStarted(route: HttpRoute): () => void;
  requestAnswered(answer: HttpAnswer): void;
  /** A CONNECT was answered. */
  connectAnswered(result: ConnectResult): void;
  /** Registers a callback that reports the number of open tunnels at scrape time. */
  watchTunnels(size: () => number): void;
  upstreamRequest(answer: UpstreamAnswer): void;
  trustRefreshed(upstream: string, result: RefreshResult): void;
  trustRejected(upstream: string, cause: TrustCause): void;
  /** A repository's metadata was verified just now. */
  trustVerified(gun: string, roles: readonly RoleStatus[]): void;
  cacheRequest(cache: AskedCache, result: CacheResult): void;
  /** Registers a callback that reports the size of the cache at scrape time. */
  watchCache(cache: CacheName, size: () => CacheSize): void;
  /** A caller joined a request that another caller had started. */
  singleFlightShared(kind: FlightKind): void;
  /** A log line was dropped because its reader was blocked and the buffer full. */
  logLineDropped(): void;
  /** A new policy is in force. */
  policyLoaded(names: ConfiguredNames): void;
  /** A configuration was read and did not validate; the last good one stays in force. */
  policyReloadFailed(): void;
  render(): Promise<RenderedMetrics>;
}

export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry();
  const known: KnownNames = { rules: new Set(), registries: new Set() };
  const now = options.now ?? (() => new Date());
  if (options.processMetrics ?? true) collectDefaultMetrics({ register: registry });
  setBuildInfo(registry, options);
  const policy = createPolicyMetrics(registry, now);
  const trust = createTrustMetrics(registry, known, now);
  const upstream = createUpstreamMetrics(registry, known);
  const decisions = createDecisionMetrics(registry, known);
  const canary = createCanaryMetrics(registry);
  const logLines = counter(
    registry,
    'log_lines_dropped_total',
    'Log lines dropped because the reader of standard output was blocked.',
    [],
  );
  const policyLoaded = (names: ConfiguredNames): void => {
    known.rules = new Set([...names.rules.map(({ name }) => name), NO_RULE, CANARY_RULE]);
    known.registries = new Set(names.registries);
    policy.loaded(names.hash, names.rules);
    decisions.expect(names.rules);
    upstream.expect(names.registries);
    trust.expect(names.rules, names.registries, names.repositories);
  };
  policyLoaded(options);
  return {
    ...createHttpMetrics(registry),
    ...createConnectMetrics(registry),
    upstreamRequest: upstream.answered,
    ...createCacheMetrics(registry),
    trustRefreshed: trust.refreshed,
    trustRejected: trust.rejected,
    trustVerified: trust.verified,
    decision: (record) => {
      decisions.decision(record);
      trust.decision(record);
      canary.decision(record);
    },
    recordDropped: decisions.recordDropped,
    logLineDropped: () => logLines.inc(),
    policyLoaded,
    policyReloadFailed: policy.reloadFailed,
    render: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
  };
}
