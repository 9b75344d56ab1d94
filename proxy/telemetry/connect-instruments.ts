/** Metrics of the way in through CONNECT. */
import type { Registry } from 'prom-client';
import { counter, gauge } from './instrument.ts';

const RESULTS = ['terminated', 'tunnelled', 'refused', 'failed'] as const;

export type ConnectResult = (typeof RESULTS)[number];

export function createConnectMetrics(registry: Registry) {
  const total = counter(registry, 'connects_total', 'CONNECT requests by result.', ['result']);
  let size = (): number => 0;
  const open = gauge(registry, 'tunnels_open', 'Tunnels to listed hosts that are open.', [], () => {
    open.set(size());
  });
  for (const result of RESULTS) total.inc({ result }, 0);
  return {
    connectAnswered: (result: ConnectResult): void => total.inc({ result }),
    watchTunnels: (count: () => number): void => {
      size = count;
    },
  };
}
