/** Builds a running proxy from a validated configuration: creates every part once and wires them together. */
import { randomUUID } from 'node:crypto';
import { type RunningAdmin, startAdmin } from '../admin/admin.ts';
import { checkAccepting, checkReload, checkState } from '../admin/readiness.ts';
import type { Status } from '../admin/types.ts';
import { createApp } from '../app.ts';
import type { Config } from '../config/types.ts';
import { registryAt } from '../names/registry-table.ts';
import { formatCanary } from '../policy/canary.ts';
import { createServer, type PullServer } from '../server.ts';
import { createRecorder, type DecisionRecorder } from '../telemetry/decisions.ts';
import { createLog, type Log, type LogOptions, type RootLog } from '../telemetry/log.ts';
import { createMetrics, type Metrics } from '../telemetry/metrics.ts';
import { observeConnect, observeTrust, observeUpstreams } from '../telemetry/observers.ts';
import type { TrustStatus } from '../telemetry/trust-status.ts';
import { createCheckPool } from '../threads/check-pool.ts';
import { InForce, toNames } from './in-force.ts';
import { readListenOptions } from './listen.ts';
import { createPullSide, type PullSide } from './pull-side.ts';
import { openState } from './trust.ts';

export type RuntimeOptions = {
  readonly version: string;
  /** As `process.version` has it. */
  readonly node: string;
  readonly revision?: string;
  readonly now?: () => Date;
  /** Milliseconds since some fixed moment, to measure the age of cached answers; `performance.now` when absent. */
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

/** Decisions the status page can show. */
const RECENT_DECISIONS = 200;

/** @throws TrustError when the state cannot be used; the listen error of node:net when a port cannot be had. */
export async function startRuntime(first: Config, options: RuntimeOptions): Promise<Runtime> {
  const now = options.now ?? (() => new Date());
  const { log, metrics } = createTelemetry(first, options, now);
  const state = await openState(first.trust.state);
  const trustStatus = new Map<string, TrustStatus>();
  const configured = (registry: string) =>
    inForce.parts.config.registries.find(({ name }) => name === registry);
  const serverOf = (registry: string) => configured(registry)?.trust.server;
  const observer = observeTrust({ metrics, log, status: trustStatus, now, serverOf });
  const observe = observeUpstreams(metrics, log, configured);
  const threads = createCheckPool();
  const shared = { observe, state, now, observer, check: threads.check };
  const inForce = new InForce(first, { metrics, log, shared });
  const recorder = createRecorder({
    metrics,
    log,
    ringSize: RECENT_DECISIONS,
    policyHash: () => inForce.parts.config.hash,
  });
  const { record } = recorder;
  const monotonic = options.monotonic ?? (() => performance.now());
  const pullSide = createPullSide(() => inForce.parts, { metrics, log, now, record, monotonic });
  const { server, listenOptions } = createPullPort(first, pullSide, inForce, { metrics, log });
  const accepting = { isClosing: false };
  const { port, admin } = await listen(server, first, {
    log,
    now,
    hosts: () => inForce.parts.config.admin.hosts,
    metrics: metrics.render,
    readiness: async () => [
      checkAccepting(accepting),
      await checkState(state),
      checkReload(inForce.reloadError),
    ],
    status: toStatus({ ...options, startedAt: now() }, inForce, recorder, trustStatus),
    decisions: recorder.recent,
  });
  return {
    log,
    port,
    adminPort: admin.port,
    reload: (config) => inForce.replace(config, () => server.renew(listenOptions(config))),
    reloadFailed: (reason) => inForce.refuse(reason),
    close: async (graceMs) => {
      accepting.isClosing = true;
      await server.close(graceMs);
      pullSide.forwarder.close();
      await inForce.parts.close();
      await threads.close();
      await admin.close();
    },
  };
}

function createTelemetry(first: Config, options: RuntimeOptions, now: () => Date) {
  const log = createLog({
    ...first.log,
    onDropped: () => metrics.logLineDropped(),
    ...(options.logTo === undefined ? {} : { to: options.logTo }),
  });
  const metrics = createMetrics({ ...toNames(first), ...options, revision: options.revision ?? '', now });
  return { log, metrics };
}

/** Koa and the sockets in front of it. */
function createPullPort(
  first: Config,
  { pull, forwarder }: PullSide,
  inForce: InForce,
  { metrics, log }: { readonly metrics: Metrics; readonly log: Log },
) {
  const newRequestId = randomUUID;
  const onError = (err: unknown) => log.debug({ err }, 'a response could not be written');
  const app = createApp({ pull, forwarder, metrics, newRequestId, onError });
  const listenOptions = ({ listen }: Config) =>
    readListenOptions(listen, {
      // Of the configuration in force: a reload may have taken the registry away.
      registryAt: (authority) => registryAt(inForce.parts.pull.table, authority),
      observe: observeConnect(metrics, log),
    });
  const server = createServer(app.callback(), { newRequestId, ...listenOptions(first) });
  metrics.watchTunnels(server.tunnels);
  return { server, listenOptions };
}

type Started = { readonly version: string; readonly revision?: string; readonly startedAt: Date };

function toStatus(
  { version, revision = '', startedAt }: Started,
  inForce: InForce,
  recorder: DecisionRecorder,
  trustStatus: ReadonlyMap<string, TrustStatus>,
): () => Status {
  return () => {
    const { config, registries } = inForce.parts;
    const { canary } = config.policy;
    return {
      version,
      revision,
      startedAt,
      policy: inForce.policyStatus,
      canary: { image: formatCanary(canary), refusedAt: recorder.canaryRefusedAt() },
      registries,
      trust: [...trustStatus.values()],
    };
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
