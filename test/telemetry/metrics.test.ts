import { spawnSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import { DENY_REASONS, reasonsAbout } from '../../proxy/reason.ts';
import { createMetrics, type Metrics } from '../../proxy/telemetry/metrics.ts';
import { IN_USE_MS, MAX_NAMED_REPOSITORIES } from '../../proxy/telemetry/trust-gauges.ts';
import { AT, DIGEST, decisionRecord, METRICS_OPTIONS, roleStatus, samplesOf } from './fixtures.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const inDays = (days: number): Date => new Date(AT.getTime() + days * DAY_MS);
const seconds = (at: Date): number => at.getTime() / 1000;

async function read(metrics: Metrics, name: string, ...needles: string[]): Promise<number | undefined> {
  const { body } = await metrics.render();
  const found = samplesOf(body, `pullwarden_${name}`).filter(({ labels }) =>
    needles.every((n) => labels.includes(n)),
  );
  expect(found.length).toBeLessThan(2);
  return found[0]?.value;
}

/** Everything at once, so that a test can look at the whole exposition. */
function busyMetrics(): Metrics {
  const metrics = createMetrics(METRICS_OPTIONS);
  metrics.decision(decisionRecord());
  metrics.decision(
    decisionRecord({ rule: 'watching', mode: 'audit', reason: 'audit', would: 'unsigned_tag' }),
  );
  metrics.requestStarted('manifest');
  metrics.requestAnswered({ route: 'manifest', method: 'GET', code: 200, seconds: 0.01 });
  metrics.upstreamRequest({ upstream: 'docker.io', kind: 'registry', outcome: 'ok', seconds: 0.1 });
  metrics.trustVerified('docker.io/library/alpine', [roleStatus('timestamp', inDays(10))]);
  metrics.watchCache('manifest', () => ({ entries: 3, bytes: 700 }));
  return metrics;
}

describe('decisions', () => {
  test('are counted by rule, mode, result, reason and kind of reference', async () => {
    const metrics = createMetrics(METRICS_OPTIONS);
    metrics.decision(decisionRecord());
    metrics.decision(decisionRecord());
    metrics.decision(decisionRecord({ result: 'deny', reason: 'unsigned_tag' }));
    expect(await read(metrics, 'decisions_total', 'reason="signed"', 'rule="base-images"')).toBe(2);
    const labels = [
      'rule="base-images"',
      'mode="enforce"',
      'result="deny"',
      'reason="unsigned_tag"',
      'ref="tag"',
    ];
    expect(await read(metrics, 'decisions_total', ...labels)).toBe(1);
  });

  test('every refusal of a judged tag exists at 0 before it first happens', async () => {
    const { body } = await createMetrics(METRICS_OPTIONS).render();
    const samples = samplesOf(body, 'pullwarden_decisions_total');
    expect(samples.every(({ value }) => value === 0)).toBe(true);
    const isThere = (reason: string) => samples.some(({ labels }) => labels.includes(`reason="${reason}"`));
    expect(reasonsAbout('rule').filter((reason) => !isThere(reason))).toEqual([]);
    const others = reasonsAbout('rule', 'request');
    for (const reason of DENY_REASONS.filter((reason) => !others.includes(reason))) {
      const found = samples.filter(
        ({ labels }) =>
          labels.includes('rule="base-images"') && labels.includes(`reason="${reason}",ref="tag"`),
      );
      expect([reason, found.length]).toEqual([reason, 1]);
    }
  });

  test('a record of a kind that was expected adds no series', async () => {
    const metrics = createMetrics(METRICS_OPTIONS);
    const before = samplesOf((await metrics.render()).body, 'pullwarden_decisions_total').length;
    metrics.decision(decisionRecord({ result: 'error', reason: 'trust_unreachable' }));
    metrics.decision(
      decisionRecord({ reference: { kind: 'digest', text: DIGEST }, reason: 'digest', path: 'none' }),
    );
    metrics.decision(
      decisionRecord({ rule: '(none)', mode: 'deny', result: 'deny', reason: 'no_rule', path: 'none' }),
    );
    expect(samplesOf((await metrics.render()).body, 'pullwarden_decisions_total')).toHaveLength(before);
  });

  test('take their time into the histogram of the path they took', async () => {
    const metrics = createMetrics(METRICS_OPTIONS);
    metrics.decision(decisionRecord({ path: 'cold', durationMs: 30 }));
    expect(await read(metrics, 'decision_duration_seconds_count', 'path="cold"')).toBe(1);
    expect(await read(metrics, 'decision_duration_seconds_count', 'path="none"')).toBe(0);
    expect(await read(metrics, 'decision_duration_seconds_bucket', 'path="cold"', 'le="0.025"')).toBe(0);
    expect(await read(metrics, 'decision_duration_seconds_bucket', 'path="cold"', 'le="0.05"')).toBe(1);
  });

  test('under an audit rule show what enforcement would have said', async () => {
    const metrics = createMetrics(METRICS_OPTIONS);
    expect(await read(metrics, 'audit_would_total', 'would="unsigned_tag"')).toBe(0);
    metrics.decision(
      decisionRecord({ rule: 'watching', mode: 'audit', reason: 'audit', would: 'unsigned_tag' }),
    );
    expect(await read(metrics, 'audit_would_total', 'rule="watching"', 'would="unsigned_tag"')).toBe(1);
  });

  test('from stale trust are counted by rule', async () => {
    const metrics = createMetrics(METRICS_OPTIONS);
    metrics.decision(decisionRecord({ path: 'stale' }));
    expect(await read(metrics, 'trust_stale_served_total', 'rule="base-images"')).toBe(1);
  });
});

describe('the canary', () => {
  const refusal = decisionRecord({
    rule: '(canary)',
    mode: 'deny',
    result: 'deny',
    reason: 'denied_by_rule',
    path: 'none',
  });

  test('is counted when it is refused, with the time of the last refusal, and 0 before', async () => {
    const metrics = createMetrics(METRICS_OPTIONS);
    metrics.decision(decisionRecord({ result: 'deny', reason: 'denied_by_rule' }));
    expect(await read(metrics, 'canary_refused_total')).toBe(0);
    expect(await read(metrics, 'canary_last_refused_timestamp_seconds')).toBe(0);
    metrics.decision(refusal);
    metrics.decision({ ...refusal, at: inDays(1) });
    expect(await read(metrics, 'canary_refused_total')).toBe(2);
    expect(await read(metrics, 'canary_last_refused_timestamp_seconds')).toBe(seconds(inDays(1)));
  });

  test('is a decision like every other, expected from the start', async () => {
    const metrics = createMetrics(METRICS_OPTIONS);
    expect(await read(metrics, 'decisions_total', 'rule="(canary)"')).toBe(0);
    metrics.decision(refusal);
    expect(await read(metrics, 'decisions_total', 'rule="(canary)"', 'reason="denied_by_rule"')).toBe(1);
  });
});

describe('labels are bounded', () => {
  test('no tag, digest, client, request or repository from outside appears anywhere', async () => {
    const metrics = busyMetrics();
    const gun = 'docker.io/stranger/secret';
    metrics.decision(
      decisionRecord({ gun, repository: 'stranger/secret', reference: { kind: 'tag', text: 'v-strange' } }),
    );
    metrics.trustVerified(gun, [roleStatus('root', inDays(1)), roleStatus('targets/strangerole', inDays(1))]);
    const { body } = await metrics.render();
    for (const text of ['stranger', 'v-strange', 'strangerole', DIGEST, '192.0.2.7', 'req-1', '3.20']) {
      expect(body).not.toContain(text);
    }
  });

  test('a rule or an upstream that the configuration does not name becomes `other`', async () => {
    const metrics = createMetrics(METRICS_OPTIONS);
    metrics.decision(decisionRecord({ rule: 'unheard-of' }));
    metrics.upstreamRequest({ upstream: 'evil.example', kind: 'auth', outcome: 'network', seconds: 1 });
    metrics.trustRefreshed('evil.example', 'failed');
    metrics.trustRejected('evil.example', 'rollback');
    expect(await read(metrics, 'decisions_total', 'rule="other"')).toBe(1);
    expect(await read(metrics, 'upstream_requests_total', 'upstream="other"')).toBe(1);
    expect(await read(metrics, 'trust_refresh_total', 'upstream="other"')).toBe(1);
    expect(await read(metrics, 'trust_rejected_total', 'upstream="other"')).toBe(1);
  });

  test('a method or a status code from outside becomes `other`', async () => {
    const metrics = createMetrics(METRICS_OPTIONS);
    metrics.requestAnswered({ route: 'blob', method: 'BREW', code: 742, seconds: 0 });
    metrics.requestAnswered({ route: 'blob', method: 'PROPFIND', code: 999, seconds: 0 });
    expect(await read(metrics, 'http_requests_total', 'method="other"', 'code="other"')).toBe(2);
  });

  test('no more repositories than the cap get series of their own', async () => {
    const repositories = Array.from(
      { length: MAX_NAMED_REPOSITORIES + 5 },
      (_, index) => `docker.io/team/app${index}`,
    );
    const metrics = createMetrics({ ...METRICS_OPTIONS, repositories });
    for (const gun of repositories) metrics.trustVerified(gun, [roleStatus('root', inDays(3))]);
    const samples = samplesOf((await metrics.render()).body, 'pullwarden_trust_expiry_timestamp_seconds');
    expect(samples).toHaveLength(MAX_NAMED_REPOSITORIES + 1);
  });
});

describe('trust expiry', () => {
  test('is shown for a repository the configuration spells out, by role', async () => {
    const metrics = createMetrics(METRICS_OPTIONS);
    metrics.trustVerified('docker.io/library/alpine', [
      roleStatus('root', inDays(3000)),
      roleStatus('timestamp', inDays(13), { version: 7 }),
    ]);
    const labels = ['repository="docker.io/library/alpine"', 'role="timestamp"'];
    expect(await read(metrics, 'trust_expiry_timestamp_seconds', ...labels)).toBe(seconds(inDays(13)));
    expect(await read(metrics, 'trust_metadata_version', ...labels)).toBe(7);
    expect(await read(metrics, 'trust_last_success_timestamp_seconds', 'alpine')).toBe(seconds(AT));
  });

  test('of delegations is the first of those that were verified', async () => {
    const metrics = createMetrics(METRICS_OPTIONS);
    metrics.trustVerified('docker.io/library/alpine', [
      roleStatus('targets/releases', inDays(900), { version: 4 }),
      roleStatus('targets/jeff', inDays(-1), { version: 2, skipped: 'expired' }),
      roleStatus('targets/gone', inDays(-100), { skipped: 'absent' }),
    ]);
    expect(await read(metrics, 'trust_expiry_timestamp_seconds', 'role="delegation"')).toBe(
      seconds(inDays(-1)),
    );
    expect(await read(metrics, 'trust_metadata_version', 'role="delegation"')).toBe(4);
  });

  test('of all other repositories in use is the soonest', async () => {
    const metrics = createMetrics(METRICS_OPTIONS);
    metrics.trustVerified('docker.io/a/a', [roleStatus('timestamp', inDays(9))]);
    metrics.trustVerified('docker.io/b/b', [roleStatus('timestamp', inDays(2))]);
    const labels = ['repository="other"', 'role="timestamp"'];
    expect(await read(metrics, 'trust_expiry_timestamp_seconds', ...labels)).toBe(seconds(inDays(2)));
  });

  test('of an idle repository outside the configuration is left out, until it is pulled again', async () => {
    let now = AT;
    const metrics = createMetrics({ ...METRICS_OPTIONS, now: () => now });
    metrics.trustVerified('docker.io/a/a', [roleStatus('timestamp', inDays(1))]);
    metrics.trustVerified('docker.io/library/alpine', [roleStatus('timestamp', inDays(1))]);
    now = new Date(AT.getTime() + IN_USE_MS + 1);
    expect(await read(metrics, 'trust_expiry_timestamp_seconds', 'repository="other"')).toBeUndefined();
    expect(await read(metrics, 'trust_expiry_timestamp_seconds', 'alpine')).toBeDefined();
    metrics.decision(decisionRecord({ gun: 'docker.io/a/a', at: now }));
    expect(await read(metrics, 'trust_expiry_timestamp_seconds', 'repository="other"')).toBe(
      seconds(inDays(1)),
    );
  });
});

describe('policy', () => {
  test('a reload shows the new hash only, and counts rules by mode', async () => {
    const metrics = createMetrics(METRICS_OPTIONS);
    metrics.policyReloadFailed();
    expect(await read(metrics, 'policy_last_reload_successful')).toBe(0);
    metrics.policyLoaded({ ...METRICS_OPTIONS, hash: 'h2', rules: [{ name: 'new', mode: 'enforce' }] });
    expect(await read(metrics, 'policy_last_reload_successful')).toBe(1);
    expect(samplesOf((await metrics.render()).body, 'pullwarden_policy_info')).toEqual([
      { labels: 'hash="h2"', value: 1 },
    ]);
    expect(await read(metrics, 'policy_rules', 'mode="enforce"')).toBe(1);
    expect(await read(metrics, 'policy_rules', 'mode="audit"')).toBe(0);
    expect(await read(metrics, 'decisions_total', 'rule="new"', 'reason="signed"')).toBe(0);
  });
});

describe('requests and caches', () => {
  test('in flight counts a request until its answer has ended, once', async () => {
    const metrics = createMetrics(METRICS_OPTIONS);
    const ended = metrics.requestStarted('blob');
    metrics.requestStarted('blob');
    expect(await read(metrics, 'http_requests_in_flight', 'route="blob"')).toBe(2);
    ended();
    ended();
    expect(await read(metrics, 'http_requests_in_flight', 'route="blob"')).toBe(1);
  });

  test('cache sizes are asked for when metrics are read', async () => {
    const metrics = createMetrics(METRICS_OPTIONS);
    let entries = 1;
    metrics.watchCache('manifest', () => ({ entries, bytes: entries * 100 }));
    metrics.watchCache('trust', () => ({ entries: 9 }));
    entries = 4;
    expect(await read(metrics, 'cache_entries', 'cache="manifest"')).toBe(4);
    expect(await read(metrics, 'cache_bytes', 'cache="manifest"')).toBe(400);
    expect(await read(metrics, 'cache_entries', 'cache="trust"')).toBe(9);
    expect(await read(metrics, 'cache_bytes', 'cache="trust"')).toBeUndefined();
    metrics.cacheRequest('trust', 'hit');
    metrics.singleFlightShared('trust');
    expect(await read(metrics, 'cache_requests_total', 'cache="trust"', 'result="hit"')).toBe(1);
    expect(await read(metrics, 'singleflight_shared_total', 'kind="trust"')).toBe(1);
  });
});

describe('exposition', () => {
  test('says what runs, and with which content type', async () => {
    const { contentType, body } = await createMetrics(METRICS_OPTIONS).render();
    expect(contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(body).toContain('pullwarden_build_info{version="1.2.3",revision="abc",node="v20.0.0"} 1');
  });

  test('has the process metrics unless told otherwise', async () => {
    const { body } = await createMetrics({ ...METRICS_OPTIONS, processMetrics: true }).render();
    expect(body).toContain('process_cpu_seconds_total');
    expect(body).toContain('nodejs_eventloop_lag_p99_seconds');
  });

  const hasPromtool = spawnSync('promtool', ['--version']).error === undefined;
  (hasPromtool ? test : test.skip)(
    'promtool finds no fault with our names, types and help texts',
    async () => {
      const { body } = await busyMetrics().render();
      const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
        input: body,
        encoding: 'utf8',
      });
      expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
    },
  );
});
