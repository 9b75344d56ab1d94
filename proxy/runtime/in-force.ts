/** Holds the configuration in force, and replaces it while requests are running. */
import type { PolicyStatus } from '../admin/types.ts';
import type { Config } from '../config/types.ts';
import type { PullServer } from '../server.ts';
import type { Log } from '../telemetry/log.ts';
import type { ConfiguredNames, Metrics } from '../telemetry/metrics.ts';
import { createParts, type Parts, type PartsOptions } from './parts.ts';

/** How long the connections of a replaced configuration are kept for pulls that began under it, in milliseconds. */
const RETIRE_MS = 60_000;

export type InForceOptions = {
  readonly metrics: Metrics;
  readonly log: Log;
  /** What outlives a configuration. */
  readonly shared: PartsOptions;
};

export class InForce {
  readonly #options: InForceOptions;
  #parts: Parts;
  #loadedAt: Date;
  #reloadError: string | undefined;

  constructor(first: Config, options: InForceOptions) {
    this.#options = options;
    this.#parts = createParts(first, options.shared);
    this.#loadedAt = options.shared.now();
  }

  get parts(): Parts {
    return this.#parts;
  }

  get reloadError(): string | undefined {
    return this.#reloadError;
  }

  get policyStatus(): PolicyStatus {
    const { hash, policy } = this.#parts.config;
    const { unmatched, rules } = policy;
    return { hash, loadedAt: this.#loadedAt, reloadError: this.#reloadError, unmatched, rules };
  }

  /**
   * @param renew puts the listening side under it.
   * @throws when a certificate or key cannot be read; then everything stays as it was.
   */
  replace(config: Config, renew: () => ReturnType<PullServer['renew']>): void {
    const { metrics, log, shared } = this.#options;
    // First the steps that can fail.
    const enforce = renew();
    const old = this.#parts;
    this.#parts = createParts(config, shared);
    // Only now: the new listening side looks up registries in the parts in force.
    const { tunnels, terminated, clients } = enforce();
    if (tunnels + terminated + clients > 0)
      log.info(
        { tunnels, terminated, clients },
        'closed connections that the new configuration no longer permits',
      );
    this.#loadedAt = shared.now();
    this.#reloadError = undefined;
    metrics.policyLoaded(toNames(config));
    old.retire();
    const warn = (err: unknown) =>
      log.warn({ err }, 'connections of the old configuration did not end cleanly');
    // A pull that began under the old configuration may still have to ask its registry.
    setTimeout(() => void old.close().catch(warn), RETIRE_MS).unref();
  }

  /** A configuration that did not validate: this one stays, and people can see why. */
  refuse(reason: string): void {
    this.#reloadError = reason;
    this.#options.metrics.policyReloadFailed();
  }
}

export function toNames({ hash, policy, registries, trust }: Config): ConfiguredNames {
  return {
    hash,
    rules: policy.rules,
    registries: registries.map(({ name }) => name),
    repositories: [...policy.rules, ...trust.pins].map(({ match }) => match),
  };
}
