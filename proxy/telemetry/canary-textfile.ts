/** The result of a pull of the canary as a file for the textfile collector of node_exporter, on the node that pulled. */
import { Registry } from 'prom-client';
import { gauge } from './instrument.ts';

export const CANARY_RESULTS = ['enforced', 'bypassed', 'inconclusive'] as const;
export type CanaryResult = (typeof CANARY_RESULTS)[number];

export type CanaryRun = {
  /** From a closed set: it is a label. */
  readonly client: string;
  readonly result: CanaryResult;
  readonly at: Date;
};

/** The whole file, one for each client: the collector merges them. */
export async function toCanaryTextfile({ client, result, at }: CanaryRun): Promise<string> {
  const registry = new Registry();
  const enforced = gauge(
    registry,
    'canary_held',
    '1 when the last pull of the canary showed that the pulls of this client go through the proxy, else 0.',
    ['client'],
  );
  const results = gauge(registry, 'canary_result', '1 for the result of the last pull of the canary.', [
    'client',
    'result',
  ]);
  const when = gauge(registry, 'canary_timestamp_seconds', 'When the canary was last pulled, as Unix time.', [
    'client',
  ]);
  enforced.set({ client }, result === 'enforced' ? 1 : 0);
  for (const name of CANARY_RESULTS) results.set({ client, result: name }, name === result ? 1 : 0);
  when.set({ client }, at.getTime() / 1000);
  return await registry.metrics();
}
