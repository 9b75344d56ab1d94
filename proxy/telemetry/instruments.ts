/** Each metric but those about trust data, with its name, labels and closed label values. */
import type { Registry } from 'prom-client';
import type { RuleMode } from '../policy/types.ts';
import {
  UPSTREAM_KINDS,
  UPSTREAM_OUTCOMES,
  type UpstreamKind,
  type UpstreamOutcome,
} from '../upstream/outcome.ts';
import { AUDIT_VERDICTS, plausibleDecisions, type RuleLabels } from './decision-labels.ts';
import type { DecisionPath, DecisionRecord, RecordSink } from './decisions.ts';
import { counter, fold, gauge, histogram, type KnownNames } from './instrument.ts';
import { OTHER } from './trust-gauges.ts';

/** Upper bounds in seconds (peers.md §9.2). */
const DECISION_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const NETWORK_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

const PATHS = ['cache', 'stale', 'cold', 'none'] as const satisfies readonly DecisionPath[];
const MODES = ['enforce', 'audit', 'off', 'deny'] as const satisfies readonly RuleMode[];
const SINKS = ['metrics', 'ring', 'log'] as const satisfies readonly RecordSink[];
const ROUTES = ['base', 'manifest', 'blob', 'tags', 'referrers', 'trust', 'other'] as const;
/** Caches whose questions are counted; others only have a size. */
const ASKED_CACHES = ['trust', 'manifest'] as const;
const CACHE_RESULTS = ['hit', 'miss', 'stale', 'negative_hit'] as const;
const FLIGHTS = ['trust', 'manifest', 'access'] as const;

export type HttpRoute = (typeof ROUTES)[number];
export type AskedCache = (typeof ASKED_CACHES)[number];
export type CacheName = AskedCache | 'access';
export type CacheResult = (typeof CACHE_RESULTS)[number];
export type FlightKind = (typeof FLIGHTS)[number];
/** `bytes` where the cache counts them. */
export type CacheSize = { readonly entries: number; readonly bytes?: number };

export type HttpAnswer = {
  readonly route: HttpRoute;
  readonly method: string;
  readonly code: number;
  /** Until the first byte of the answer. */
  readonly seconds: number;
};

export type UpstreamAnswer = {
  /** The configured registry this was asked for, whichever of its servers answered. */
  readonly upstream: string;
  readonly kind: UpstreamKind;
  readonly outcome: UpstreamOutcome;
  readonly seconds: number;
};

export function setBuildInfo(
  registry: Registry,
  { version, revision, node }: { readonly version: string; readonly revision: string; readonly node: string },
): void {
  const labelNames = ['version', 'revision', 'node'] as const;
  gauge(registry, 'build_info', 'Always 1; the labels name the version that runs.', labelNames).set(
    { version, revision, node },
    1,
  );
}

export function createPolicyMetrics(registry: Registry, now: () => Date) {
  const info = gauge(registry, 'policy_info', 'Always 1; the label is the hash of the policy in force.', [
    'hash',
  ]);
  const rules = gauge(registry, 'policy_rules', 'Rules of the policy in force by mode.', ['mode']);
  const successful = gauge(
    registry,
    'policy_last_reload_successful',
    '1 if the last configuration read is in force.',
    [],
  );
  const at = gauge(
    registry,
    'policy_last_reload_success_timestamp_seconds',
    'When a policy last came into force.',
    [],
  );
  return {
    loaded: (hash: string, loaded: readonly RuleLabels[]): void => {
      info.reset();
      info.set({ hash }, 1);
      for (const mode of MODES) rules.set({ mode }, loaded.filter((rule) => rule.mode === mode).length);
      successful.set(1);
      at.set(now().getTime() / 1000);
    },
    reloadFailed: (): void => successful.set(0),
  };
}

export function createDecisionMetrics(registry: Registry, known: KnownNames) {
  const labelNames = ['rule', 'mode', 'result', 'reason', 'ref'] as const;
  const total = counter(
    registry,
    'decisions_total',
    'Decisions about pulls by rule, result and reason.',
    labelNames,
  );
  const audit = counter(
    registry,
    'audit_would_total',
    'Results that enforcement would have had under audit rules.',
    ['rule', 'would'],
  );
  const dropped = counter(registry, 'decision_records_dropped_total', 'Decisions a sink could not record.', [
    'sink',
  ]);
  const duration = histogram(
    registry,
    'decision_duration_seconds',
    'Duration of decisions, in seconds.',
    ['path'],
    DECISION_BUCKETS,
  );
  for (const path of PATHS) duration.zero({ path });
  for (const sink of SINKS) dropped.inc({ sink }, 0);
  return {
    expect: (rules: readonly RuleLabels[]): void => {
      for (const labels of plausibleDecisions(rules)) total.inc(labels, 0);
      for (const { name: rule, mode } of rules) {
        if (mode === 'audit') for (const would of AUDIT_VERDICTS) audit.inc({ rule, would }, 0);
      }
    },
    decision: ({
      rule: name,
      mode,
      result,
      reason,
      reference,
      would,
      path,
      durationMs,
    }: DecisionRecord): void => {
      const rule = fold(known.rules, name);
      total.inc({ rule, mode, result, reason, ref: reference.kind });
      if (would !== undefined) audit.inc({ rule, would });
      duration.observe({ path }, durationMs / 1000);
    },
    recordDropped: (sink: RecordSink): void => dropped.inc({ sink }),
  };
}

export function createHttpMetrics(registry: Registry) {
  const total = counter(registry, 'http_requests_total', 'Requests answered.', ['route', 'method', 'code']);
  const labelNames = ['route', 'method', 'code_class'] as const;
  const help = 'Time to the first byte of an answer.';
  const duration = histogram(registry, 'http_request_duration_seconds', help, labelNames, NETWORK_BUCKETS);
  const inFlight = gauge(registry, 'http_requests_in_flight', 'Requests in flight.', ['route']);
  for (const route of ROUTES) inFlight.set({ route }, 0);
  return {
    requestStarted: (route: HttpRoute): (() => void) => {
      let open = true;
      inFlight.inc({ route });
      return () => {
        if (open) inFlight.dec({ route });
        open = false;
      };
    },
    requestAnswered: ({ route, method: name, code, seconds }: HttpAnswer): void => {
      const method = name === 'GET' || name === 'HEAD' ? name : OTHER;
      // A registry behind us can answer with any number, which must not become a series.
      const isStatus = Number.isInteger(code) && code >= 100 && code <= 599;
      total.inc({ route, method, code: isStatus ? code : OTHER });
      duration.observe(
        { route, method, code_class: isStatus ? `${Math.floor(code / 100)}xx` : OTHER },
        seconds,
      );
    },
  };
}

export function createUpstreamMetrics(registry: Registry, known: KnownNames) {
  const labelNames = ['upstream', 'kind', 'outcome'] as const;
  const total = counter(
    registry,
    'upstream_requests_total',
    'Requests to registries and trust servers.',
    labelNames,
  );
  const help = 'Time to the answer of a registry or trust server.';
  const duration = histogram(
    registry,
    'upstream_request_duration_seconds',
    help,
    ['upstream', 'kind'],
    NETWORK_BUCKETS,
  );
  return {
    expect: (registries: readonly string[]): void => {
      for (const upstream of registries) {
        for (const kind of UPSTREAM_KINDS)
          for (const outcome of UPSTREAM_OUTCOMES) total.inc({ upstream, kind, outcome }, 0);
      }
    },
    answered: ({ upstream: name, kind, outcome, seconds }: UpstreamAnswer): void => {
      const upstream = fold(known.registries, name);
      total.inc({ upstream, kind, outcome });
      duration.observe({ upstream, kind }, seconds);
    },
  };
}

export function createCacheMetrics(registry: Registry) {
  const requests = counter(registry, 'cache_requests_total', 'Cache lookups.', ['cache', 'result']);
  const shared = counter(registry, 'singleflight_shared_total', 'Callers that joined a request in flight.', [
    'kind',
  ]);
  const sizes = new Map<CacheName, () => CacheSize>();
  const entries = gauge(registry, 'cache_entries', 'Entries in a cache.', ['cache'], () => {
    for (const [cache, size] of sizes) entries.set({ cache }, size().entries);
  });
  const bytes = gauge(
    registry,
    'cache_bytes',
    'Bytes in a cache, for caches that count them.',
    ['cache'],
    () => {
      for (const [cache, size] of sizes) {
        const count = size().bytes;
        if (count !== undefined) bytes.set({ cache }, count);
      }
    },
  );
  for (const cache of ASKED_CACHES) for (const result of CACHE_RESULTS) requests.inc({ cache, result }, 0);
  for (const kind of FLIGHTS) shared.inc({ kind }, 0);
  return {
    cacheRequest: (cache: AskedCache, result: CacheResult): void => requests.inc({ cache, result }),
    watchCache: (cache: CacheName, size: () => CacheSize): void => void sizes.set(cache, size),
    singleFlightShared: (kind: FlightKind): void => shared.inc({ kind }),
  };
}
