/** From a validated configuration to a running proxy: every part is made here, once, and given what it needs. */
import { randomUUID } from 'node:crypto';
import { type RunningAdmin, startAdmin } from '../admin/admin.ts';
import { checkReload, checkState } from '../admin/readiness.ts';
import type { ReadyCheck, Status } from '../admin/types.ts';
import { createApp } from '../app.ts';
import type { Config } from '../config/types.ts';
import { registryAt } from '../names/registry-table.ts';
import { formatCanary } from '../policy/canary.ts';
import { createServer, type PullServer } from '../server.ts';
import { createRecorder } from '../telemetry/decisions.ts';
import { createLog, type LogOptions, type RootLog } from '../telemetry/log.ts';
import { type ConfiguredNames, createMetrics } from '../telemetry/metrics.ts';
import { observeConnect, observeTrust, observeUpstreams } from '../telemetry/observers.ts';
import type { TrustStatus } from '../telemetry/trust-status.ts';
import { createCheckPool } from '../threads/check-pool.ts';
import { readListenOptions } from './listen.ts';
import { createParts } from './parts.ts';
import { createPullSide } from './pull-side.ts';
import { openState } from './trust.ts';

export type RuntimeOptions = {
  readonly version: string;
  /** As `process.version` has it. */
  readonly node: string;
  readonly revision?: string;
  readonly now?: () => Date;
  /** Milliseconds since some fixed moment, by which what is remembered ages; `performance.now` when absent. */
  readonly monotonic?: () => number;
  /** Where log lines go; standard output when absent. */
  readonly logTo?: LogOptions['to'];
};

export type Runtime = {
  readonly log: RootLog;
  /** The ports in use, also where 0 was configured. */
  readonly port: number;
  readonly adminPort: number;
  /** Puts another policy, registries, trust settings and certificates in force; what is under way ends under the old ones. */
  reload(config: Config): void;
  /** A configuration that did not validate: the one in force stays, and people can see why. */
  reloadFailed(reason: string): void;
  /** Stops listening and lets running pulls finish for at most this long, in milliseconds. */
  close(graceMs: number): Promise<void>;
};

/** How long the connections of a replaced configuration are kept for pulls that began under it, in milliseconds. */
const RETIRE_MS = 60_000;
const RECENT_DECISIONS = 200;

/** @throws TrustError when the state cannot be used; the listen error of node:net when a port cannot be had. */
export async function startRuntime(first: Config, options: RuntimeOptions): Promise<Runtime> {
  const now = options.now ?? (() => new Date());
  const log = createLog({
    ...first.log,
    onDropped: () => metrics.logLineDropped(),
    ...(options.logTo === undefined ? {} : { to: options.logTo }),
  });
  const metrics = createMetrics({ ...toNames(first), ...options, revision: options.revision ?? '', now });
  const state = await openState(first.trust.state);
  const trustStatus = new Map<string, TrustStatus>();
  const configured = (registry: string) => parts.config.registries.find(({ name }) => name === registry);
  const serverOf = (registry: string) => configured(registry)?.trust.server;
  const observer = observeTrust({ metrics, log, status: trustStatus, now, serverOf });
  const observe = observeUpstreams(metrics, log, configured);
  const threads = createCheckPool();
  const shared = { observe, state, now, observer, check: threads.check };
  let parts = createParts(first, shared);
  let policyStatus = { loadedAt: now(), reloadError: undefined as string | undefined };
  let closing = false;

  const recorder = createRecorder({
    metrics,
    log,
    ringSize: RECENT_DECISIONS,
    policyHash: () => parts.config.hash,
  });
  const { pull, forwarder } = createPullSide(() => parts, {
    metrics,
    log,
    now,
    record: recorder.record,
    monotonic: options.monotonic ?? (() => performance.now()),
  });
  const app = createApp({
    pull,
    forwarder,
    metrics,
    newRequestId: randomUUID,
    onError: (err) => log.debug({ err }, 'an answer could not be written'),
  });
  const listenOptions = ({ listen }: Config) =>
    readListenOptions(listen, {
      // Of the configuration in force: a reload may have taken the registry away.
      registryAt: (authority) => registryAt(parts.pull.table, authority),
      observe: observeConnect(metrics, log),
    });
  const server = createServer(app.callback(), { newRequestId: randomUUID, ...listenOptions(first) });
  metrics.watchTunnels(server.tunnels);

  const startedAt = now();
  const status = (): Status => ({
    version: options.version,
    revision: options.revision ?? '',
    startedAt,
    policy: {
      hash: parts.config.hash,
      ...policyStatus,
      unmatched: parts.config.policy.unmatched,
      rules: parts.config.policy.rules,
    },
    canary: { image: formatCanary(parts.config.policy.canary), refusedAt: recorder.canaryRefusedAt() },
    registries: parts.registries,
    trust: [...trustStatus.values()],
  });
  const readiness = async (): Promise<readonly ReadyCheck[]> => [
    { name: 'accepting pulls', ok: !closing, ...(closing ? { detail: 'shutting down' } : {}) },
    await checkState(state),
    checkReload(policyStatus.reloadError),
  ];

  const { port, admin } = await listen(server, first, {
    log,
    now,
    hosts: () => parts.config.admin.hosts,
    metrics: metrics.render,
    readiness,
    status,
    decisions: recorder.recent,
  });

  const warnOfClose = (err: unknown) =>
    log.warn({ err }, 'connections of the old configuration did not end cleanly');
  return {
    log,
    port,
    adminPort: admin.port,
    reload: (config) => {
      // First what may fail: a key that cannot be read leaves everything as it was.
      const enforce = server.renew(listenOptions(config));
      const old = parts;
      parts = createParts(config, shared);
      // Which hosts are registries is asked of the parts in force, so not before.
      const { tunnels, terminated, clients } = enforce();
      if (tunnels + terminated + clients > 0)
        log.info({ tunnels, terminated, clients }, 'connections that are not permitted any more were closed');
      policyStatus = { loadedAt: now(), reloadError: undefined };
      metrics.policyLoaded(toNames(config));
      old.retire();
      // A pull that began under the old configuration may still have to ask its registry.
      setTimeout(() => void old.close().catch(warnOfClose), RETIRE_MS).unref();
    },
    reloadFailed: (reason) => {
      policyStatus = { ...policyStatus, reloadError: reason };
      metrics.policyReloadFailed();
    },
    close: async (graceMs) => {
      closing = true;
      await server.close(graceMs);
      forwarder.close();
      await parts.close();
      await threads.close();
      await admin.close();
    },
  };
}

function toNames({ hash, policy, registries, trust }: Config): ConfiguredNames {
  return {
    hash,
    rules: policy.rules,
    registries: registries.map(({ name }) => name),
    repositories: [...policy.rules, ...trust.pins].map(({ match }) => match),
  };
}

/** Both ports, or neither. */
async function listen(
  server: PullServer,
  { listen: pullAt, admin: adminAt }: Config,
  deps: Parameters<typeof startAdmin>[0],
): Promise<{ readonly port: number; readonly admin: RunningAdmin }> {
  const admin = await startAdmin(deps, adminAt);
  try {
    return { port: await server.listen(pullAt.port, pullAt.address), admin };
  } catch (error) {
    await admin.close();
    throw error;
  }
}
