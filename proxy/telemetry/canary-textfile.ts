/** What a pull of the canary came to, on the node that pulled: a text file for node_exporter's textfile collector. */
import { Registry } from 'prom-client';
import { gauge } from './instrument.ts';

export const CANARY_RESULTS = ['held', 'hole', 'unproved'] as const;
export type CanaryResult = (typeof CANARY_RESULTS)[number];

export type CanaryRun = {
  /** From a closed set: it is a label. */
  readonly client: string;
  readonly result: CanaryResult;
  readonly at: Date;
};

/** The whole file. Each client has one of its own: the collector puts them together. */
export async function toCanaryTextfile({ client, result, at }: CanaryRun): Promise<string> {
  const registry = new Registry();
  const held = gauge(
    registry,
    'canary_held',
    '1 when the last pull of the canary showed that the client is held, else 0.',
    ['client'],
  );
  const results = gauge(registry, 'canary_result', '1 for what the last pull of the canary came to.', [
    'client',
    'result',
  ]);
  const when = gauge(registry, 'canary_timestamp_seconds', 'When the canary was last pulled, as Unix time.', [
    'client',
  ]);
  held.set({ client }, result === 'held' ? 1 : 0);
  for (const name of CANARY_RESULTS) results.set({ client, result: name }, name === result ? 1 : 0);
  when.set({ client }, at.getTime() / 1000);
  return await registry.metrics();
}
