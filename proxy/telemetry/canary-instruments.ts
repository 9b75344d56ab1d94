/** Metrics of the canary on the proxy's side: that clients are refused it, and when that was last so. */
import type { Registry } from 'prom-client';
import { CANARY_RULE } from '../policy/types.ts';
import type { DecisionRecord } from './decisions.ts';
import { counter, gauge } from './instrument.ts';

export function createCanaryMetrics(registry: Registry) {
  const refused = counter(
    registry,
    'canary_refused_total',
    'Requests for the canary, all of them refused.',
    [],
  );
  const last = gauge(
    registry,
    'canary_last_refused_timestamp_seconds',
    'When the canary was last refused, as Unix time; 0 if not since the start.',
    [],
  );
  return {
    decision: ({ rule, at }: DecisionRecord): void => {
      if (rule !== CANARY_RULE) return;
      refused.inc();
      last.set(at.getTime() / 1000);
    },
  };
}
