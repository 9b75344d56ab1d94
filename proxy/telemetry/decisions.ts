/**
 * One record per decision: counted, logged, and kept for a while for the people who ask "why was that refused?".
 *
 * Recording is step 7 of the pipeline and cannot fail a pull: a sink that throws is skipped and counted.
 */
import { CANARY_RULE, type RuleMode } from '../policy/types.ts';
import type { DenyReason, Reason, Result } from '../reason.ts';
import type { Log } from './log.ts';

/** Where the trust data of a decision came from; `none` when the rule needed none. */
export type DecisionPath = 'cache' | 'stale' | 'cold' | 'none';

export type RecordedReference = { readonly kind: 'tag' | 'digest'; readonly text: string };

/** Everything recorded about one decision. Metrics use only its closed sets of values; the log uses all of it. */
export type DecisionRecord = {
  readonly requestId: string;
  readonly at: Date;
  /** The registry and repository as the policy knows them: aliases resolved. */
  readonly registry: string;
  readonly repository: string;
  readonly reference: RecordedReference;
  /** What was served: the signed digest of a tag, or the requested digest. */
  readonly digest?: string;
  readonly rule: string;
  readonly mode: RuleMode;
  readonly result: Result;
  readonly reason: Reason;
  /** In audit mode, what enforcement would have said. */
  readonly would?: 'signed' | DenyReason;
  /**
   * Whether the bytes that were served were compared with the signed or requested digest. False also for a refusal by the
   * upstream itself; absent where the proxy refused.
   */
  readonly compared?: boolean;
  readonly path: DecisionPath;
  readonly durationMs: number;
  readonly client: string;
  /** Subject of the client's certificate, where the pull port asks for one. */
  readonly identity?: string;
  readonly gun: string;
  /** Delegations that hold the digest, and the roles of the trust it was taken from. */
  readonly signers?: readonly string[];
  readonly versions?: readonly { readonly role: string; readonly version: number }[];
  /** When the trust data behind the tag expires. */
  readonly expires?: Date;
};

export type RecordSink = 'metrics' | 'ring' | 'log';

/** What the recorder needs of the metrics. */
export interface DecisionMetrics {
  decision(record: DecisionRecord): void;
  recordDropped(sink: RecordSink): void;
}

export type RecorderOptions = {
  readonly metrics: DecisionMetrics;
  readonly log: Log;
  /** How many recent decisions are kept; 0 keeps none. */
  readonly ringSize: number;
  /** Hash of the policy in force, for the log line. */
  readonly policyHash?: () => string;
};

export interface DecisionRecorder {
  /** Never throws. */
  record(record: DecisionRecord): void;
  /** The decisions still kept, newest first. */
  recent(): readonly DecisionRecord[];
  /** When the canary was last refused; undefined: not since the start. */
  canaryRefusedAt(): Date | undefined;
}

export function createRecorder({ metrics, log, ringSize, policyHash }: RecorderOptions): DecisionRecorder {
  const ring = createRing(ringSize);
  let canaryRefusedAt: Date | undefined;
  const attempt = (sink: RecordSink, write: () => void): void => {
    try {
      write();
    } catch {
      countDropped(metrics, sink);
    }
  };
  return {
    record: (record) => {
      if (record.rule === CANARY_RULE) canaryRefusedAt = record.at;
      attempt('metrics', () => metrics.decision(record));
      attempt('ring', () => ring.push(record));
      attempt('log', () => log[LEVELS[record.result]](toLogFields(record, policyHash?.()), 'decision'));
    },
    recent: ring.newestFirst,
    canaryRefusedAt: () => canaryRefusedAt,
  };
}

const LEVELS = { allow: 'info', deny: 'warn', error: 'error' } as const satisfies Record<Result, keyof Log>;

function countDropped(metrics: DecisionMetrics, sink: RecordSink): void {
  try {
    metrics.recordDropped(sink);
  } catch {
    // If even that fails there is nothing left to report to, and the pull must go on.
  }
}

/**
 * The line's fields, under the names of peers.md §9.5 plus `gun`, `ref_kind`, `would`, `compared` and `identity`. A field
 * without a value is left out.
 */
export function toLogFields(record: DecisionRecord, policyHash?: string): Record<string, unknown> {
  const { versions } = record;
  return {
    request_id: record.requestId,
    ns: record.registry,
    repo: record.repository,
    ref: record.reference.text,
    ref_kind: record.reference.kind,
    digest: record.digest,
    gun: record.gun,
    rule: record.rule,
    mode: record.mode,
    result: record.result,
    reason: record.reason,
    would: record.would,
    compared: record.compared,
    signer: record.signers,
    // fromEntries defines own properties only, so a role named `__proto__` is just a name.
    versions: versions && Object.fromEntries(versions.map(({ role, version }) => [role, version])),
    expires: record.expires?.toISOString(),
    cache: record.path,
    duration_ms: Math.round(record.durationMs * 1000) / 1000,
    policy_hash: policyHash,
    client: record.client,
    identity: record.identity,
  };
}

type Ring = { push(record: DecisionRecord): void; newestFirst(): readonly DecisionRecord[] };

function createRing(size: number): Ring {
  const slots: DecisionRecord[] = [];
  let next = 0;
  return {
    push: (record) => {
      if (size <= 0) return;
      slots[next] = record;
      next = (next + 1) % size;
    },
    newestFirst: () => [...slots.slice(next), ...slots.slice(0, next)].reverse(),
  };
}
