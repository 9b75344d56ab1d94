/** Records and names that the telemetry and admin tests start from. */
import type { DecisionRecord } from '../../proxy/telemetry/decisions.ts';
import type { MetricsOptions } from '../../proxy/telemetry/metrics.ts';
import type { RoleStatus } from '../../proxy/trust-client/types.ts';

export const AT = new Date('2026-11-21T12:00:00Z');
export const DIGEST = `sha256:${'a'.repeat(64)}`;

export function decisionRecord(overrides: Partial<DecisionRecord> = {}): DecisionRecord {
  return {
    requestId: 'req-1',
    at: AT,
    registry: 'docker.io',
    repository: 'library/alpine',
    reference: { kind: 'tag', text: '3.20' },
    digest: DIGEST,
    rule: 'base-images',
    mode: 'enforce',
    result: 'allow',
    reason: 'signed',
    path: 'cache',
    durationMs: 2,
    client: '192.0.2.7',
    gun: 'docker.io/library/alpine',
    ...overrides,
  };
}

export const METRICS_OPTIONS: MetricsOptions = {
  version: '1.2.3',
  revision: 'abc',
  node: 'v20.0.0',
  hash: 'h1',
  rules: [
    { name: 'base-images', mode: 'enforce' },
    { name: 'watching', mode: 'audit' },
    { name: 'open', mode: 'off' },
    { name: 'closed', mode: 'deny' },
  ],
  registries: ['docker.io'],
  repositories: ['docker.io/library/*', 'docker.io/library/alpine', 'docker.io/team/**'],
  processMetrics: false,
  now: () => AT,
};

export function roleStatus(role: string, expires: Date, overrides: Partial<RoleStatus> = {}): RoleStatus {
  return {
    role,
    version: 1,
    expires,
    keyIds: [],
    canonicalKeyIds: [],
    threshold: 1,
    skipped: undefined,
    ...overrides,
  };
}

/** One sample line of the exposition, as `{labels, value}`; the labels as they stand in the text. */
export function samplesOf(
  body: string,
  metric: string,
): { readonly labels: string; readonly value: number }[] {
  return body.split('\n').flatMap((line) => {
    const match = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    return match?.[1] === metric ? [{ labels: match[2] ?? '', value: Number(match[3]) }] : [];
  });
}
