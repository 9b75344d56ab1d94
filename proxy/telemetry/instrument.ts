/** How a metric of ours is made: prefixed, registered, and with label values that the configuration bounds. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { OTHER } from './trust-gauges.ts';

/** Names from the configuration in force; in a label, everything else is `other`. */
export type KnownNames = { rules: ReadonlySet<string>; registries: ReadonlySet<string> };

export function fold(known: ReadonlySet<string>, name: string): string {
  return known.has(name) ? name : OTHER;
}

export function counter<L extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly L[],
): Counter<L> {
  return new Counter({ name: `pullwarden_${name}`, help, labelNames, registers: [registry] });
}

export function gauge<L extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly L[],
  collect: () => void = () => undefined,
): Gauge<L> {
  return new Gauge({ name: `pullwarden_${name}`, help, labelNames, registers: [registry], collect });
}

export function histogram<L extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly L[],
  buckets: number[],
): Histogram<L> {
  return new Histogram({ name: `pullwarden_${name}`, help, labelNames, buckets, registers: [registry] });
}
