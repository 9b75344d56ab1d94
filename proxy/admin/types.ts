/** What the admin port shows. runtime/ fills it in; nothing here reaches back into the pipeline. */
import type { Rule } from '../policy/types.ts';
import type { DecisionRecord } from '../telemetry/decisions.ts';
import type { Log } from '../telemetry/log.ts';
import type { RenderedMetrics } from '../telemetry/metrics.ts';
import type { TrustStatus } from '../telemetry/trust-status.ts';

/** One condition of being ready. */
export type ReadyCheck = {
  /** What is checked, in a few words: `state usable`. */
  readonly name: string;
  readonly ok: boolean;
  /** What is wrong and what to do about it. */
  readonly detail?: string;
  /** A failing advisory check is shown but does not take this replica out of service. */
  readonly advisory?: boolean;
};

export type RegistryStatus = {
  readonly name: string;
  readonly upstream: string;
  readonly aliases: readonly string[];
  /** undefined: no trust server, so nothing of this registry can be judged signed. */
  readonly trustServer: string | undefined;
};

export type PolicyStatus = {
  readonly hash: string;
  readonly loadedAt: Date;
  /** Why the configuration read last is not in force; undefined when it is. */
  readonly reloadError: string | undefined;
  readonly unmatched: 'deny' | 'pass';
  readonly rules: readonly Rule[];
};

export type CanaryStatus = {
  /** `registry/repository:tag`. */
  readonly image: string;
  /** undefined: not since the start. */
  readonly refusedAt: Date | undefined;
};

export type Status = {
  readonly version: string;
  readonly revision: string;
  readonly startedAt: Date;
  readonly policy: PolicyStatus;
  readonly canary: CanaryStatus;
  readonly registries: readonly RegistryStatus[];
  readonly trust: readonly TrustStatus[];
};

export type AdminDeps = {
  readonly log: Log;
  readonly now: () => Date;
  /** Host names it answers to besides addresses and localhost, in lower case. */
  readonly hosts: () => readonly string[];
  readonly metrics: () => Promise<RenderedMetrics>;
  readonly readiness: () => Promise<readonly ReadyCheck[]> | readonly ReadyCheck[];
  readonly status: () => Status;
  /** Recent decisions, newest first. */
  readonly decisions: () => readonly DecisionRecord[];
};
