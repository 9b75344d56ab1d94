/**
 * One request on its way through the pipeline: what is known of it so far, how it is refused, and how its decision
 * is recorded.
 */

import { toGun } from '../names/reference.ts';
import { NO_RULE, type Rule, type RuleMode, type TrustOutcome } from '../policy/types.ts';
import { type DenyReason, type Reason, resultOf } from '../reason.ts';
import type { DecisionRecord } from '../telemetry/decisions.ts';
import type { RoleStatus, TrustedTarget } from '../trust-client/types.ts';
import type { Response, Route, TagOrDigest } from '../wire/types.ts';
import { toErrorResponse } from '../wire/wire-errors.ts';
import type { PullConfig, PullDeps, PullRequest } from './types.ts';

export type Exchange = {
  readonly deps: PullDeps;
  readonly config: PullConfig;
  readonly request: PullRequest;
  /** `deps.monotonic()` when the request came in. */
  readonly started: number;
};

/** A route that names a repository. */
export type RepositoryRoute = Exclude<Route, { kind: 'base' }>;

/** Which rule spoke. */
export type Ruled = { readonly rule: string; readonly mode: RuleMode };

export function toRuled(rule: Rule | undefined, unmatched: 'deny' | 'pass'): Ruled {
  if (rule !== undefined) return { rule: rule.name, mode: rule.mode };
  return { rule: NO_RULE, mode: unmatched === 'deny' ? 'deny' : 'off' };
}

/** What a record says, apart from what the request itself says. */
export type Recorded = Ruled & {
  readonly reason: Reason;
  readonly would?: 'signed' | DenyReason;
  readonly outcome?: TrustOutcome | undefined;
  readonly target?: TrustedTarget;
  /** Of what was served: whether its bytes were compared with the digest that was signed or asked for. */
  readonly compared?: boolean;
  /** Time until the decision, in milliseconds. */
  readonly durationMs: number;
};

/** Why a request passes unjudged. */
export type Passing = Ruled & Pick<Recorded, 'reason' | 'would' | 'outcome'>;

export type Subject = {
  readonly registry: string;
  readonly repository: string;
  readonly reference: TagOrDigest;
};

/** How long the request has taken so far, in milliseconds. */
export function elapsed({ deps, started }: Exchange): number {
  return deps.monotonic() - started;
}

/** Step 7. It cannot fail the pull (proxy/README.md, "7. Record"). */
export function record(exchange: Exchange, subject: Subject, verdict: Recorded): void {
  const { deps, request } = exchange;
  // A request that its client aborted fails because of that: it is not counted as an error.
  if (resultOf(verdict.reason) === 'error' && request.signal.aborted) return;
  try {
    deps.record(toRecord(exchange, subject, verdict));
  } catch (error) {
    deps.onInternalError(error, request.requestId);
  }
}

function toRecord({ deps, request }: Exchange, subject: Subject, verdict: Recorded): DecisionRecord {
  const { registry, repository, reference } = subject;
  const { rule, mode, reason, would, outcome, target, compared, durationMs } = verdict;
  const trust = outcome?.kind === 'verified' ? outcome.trust : undefined;
  const digest = reference.kind === 'digest' ? reference.digest : target?.digest;
  return {
    requestId: request.requestId,
    at: deps.now(),
    registry,
    repository,
    reference: { kind: reference.kind, text: reference.kind === 'tag' ? reference.tag : reference.digest },
    ...(digest === undefined ? {} : { digest }),
    rule,
    mode,
    result: resultOf(reason),
    reason,
    ...(would === undefined ? {} : { would }),
    ...(compared === undefined ? {} : { compared }),
    path: outcome?.path ?? 'none',
    durationMs,
    client: request.client,
    ...(request.identity === undefined ? {} : { identity: request.identity }),
    gun: toGun(registry, repository),
    ...(target && { signers: target.signers.slice(0, MAX_RECORDED), expires: target.expires }),
    ...(trust && { versions: toVersions(trust.roles, target?.role) }),
  };
}

/** Signers and roles named in one record, in number: a publisher declares up to 256, and every pull is a line of the log. */
const MAX_RECORDED = 16;

/** Root, timestamp, snapshot and targets come first; the role the tag is taken from is always among them. */
function toVersions(
  roles: readonly RoleStatus[],
  from: string | undefined,
): NonNullable<DecisionRecord['versions']> {
  return roles
    .filter(({ role }, at) => at < MAX_RECORDED || role === from)
    .map(({ role, version }) => ({ role, version }));
}

/** The refusal on the wire. */
export function refuse(
  { request }: Exchange,
  refusal: Parameters<typeof toErrorResponse>[0],
  context: { readonly rule?: string; readonly gun?: string } = {},
): Response {
  return toErrorResponse(refusal, { requestId: request.requestId, ...context });
}
