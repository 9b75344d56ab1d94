/** The parts that a reload replaces as a whole: registries, trust and policy. */
import type { RegistryStatus } from '../admin/types.ts';
import { createTrustCache, type TrustCache, type TrustCacheObserver } from '../cache/trust-cache.ts';
import type { Config } from '../config/types.ts';
import { createRegistryTable } from '../names/registry-table.ts';
import type { PullConfig } from '../pull/types.ts';
import type { FileChecker } from '../trust-client/check-file.ts';
import { createNotarySource } from '../trust-client/notary-source.ts';
import type { TrustSource, TrustState } from '../trust-client/types.ts';
import type { UpstreamObservation } from '../upstream/outcome.ts';
import type { HttpClient } from '../upstream/types.ts';
import { startBackground } from './background.ts';
import { createPinFor, createRegistryClient, createTrustClient } from './trust.ts';

export type Parts = {
  readonly config: Config;
  readonly pull: PullConfig;
  readonly trust: TrustCache;
  readonly registries: readonly RegistryStatus[];
  /** Stops renewing answers ahead of time; running requests finish with these parts. */
  retire(): void;
  /** Retires, and ends every connection. */
  close(): Promise<void>;
};

export type PartsOptions = {
  /** Called with the result of every request to an upstream. */
  readonly observe: (observation: UpstreamObservation) => void;
  readonly state: TrustState;
  readonly now: () => Date;
  readonly observer: TrustCacheObserver;
  /** Where metadata files are checked; shared, as threads outlive a reload. */
  readonly check: FileChecker;
};

export function createParts(config: Config, { observe, state, now, observer, check }: PartsOptions): Parts {
  const clients = (create: typeof createTrustClient): ReadonlyMap<string, HttpClient> =>
    new Map(config.registries.map((registry) => [registry.name, create(registry, observe)]));
  const registries = clients(createRegistryClient);
  const trustServers = clients(createTrustClient);
  const sources = new Map([...trustServers].map(([name, client]) => [name, createNotarySource(client)]));
  const trust = createTrustCache({
    sourceFor: (registry) => required(sources.get(registry), registry),
    pinFor: createPinFor(config.trust),
    state,
    check,
    refreshMs: config.trust.refreshMs,
    timeoutMs: config.trust.timeoutMs,
    now,
    observer,
  });
  const background = startBackground({
    trust,
    trustServers,
    refreshMs: config.trust.refreshMs,
  });
  const table = createRegistryTable(config.registries, config.defaultRegistry);
  return {
    config,
    pull: {
      table,
      policy: config.policy,
      registries,
      trustServers,
      trustRefreshMs: config.trust.refreshMs,
    },
    trust,
    registries: config.registries.map(({ name, upstream, aliases, trust: { server } }) => ({
      name,
      upstream,
      aliases,
      trustServer: server,
    })),
    retire: background.stop,
    close: async () => {
      background.stop();
      await Promise.all([...registries.values(), ...trustServers.values()].map((client) => client.close()));
    },
  };
}

function required(source: TrustSource | undefined, registry: string): TrustSource {
  if (source === undefined) throw new RangeError(`registry ${registry} has no trust server`);
  return source;
}
