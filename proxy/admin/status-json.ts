/** The status page's content as JSON, and the judgements both of them show. */
import type { Rule } from '../policy/types.ts';
import { type DecisionRecord, toLogFields } from '../telemetry/decisions.ts';
import type { TrustStatus } from '../telemetry/trust-status.ts';
import type { PolicyStatus, RegistryStatus, Status } from './types.ts';

/** `yes`: nothing unsigned gets through; `partly`: some rule or the default lets it; `no`: nothing is enforced. */
export type Enforcing = { readonly answer: 'yes' | 'partly' | 'no'; readonly because: readonly string[] };

/** Says how much is enforced, with one sentence for each exception. */
export function toEnforcing({ rules, unmatched }: PolicyStatus): Enforcing {
  const open = rules.filter(({ mode }) => mode === 'audit' || mode === 'off');
  const because = open.map(({ name, mode }) =>
    mode === 'audit'
      ? `rule ${name} only records what it would refuse (audit)`
      : `rule ${name} lets everything through unchecked (off)`,
  );
  if (unmatched === 'pass')
    because.push('repositories that no rule matches pass unchecked (unmatched: pass)');
  if (because.length === 0) return { answer: 'yes', because };
  const closed = unmatched === 'deny' || rules.length > open.length;
  return { answer: closed ? 'partly' : 'no', because };
}

/** The soonest first: what will start failing next. */
export function bySoonestExpiry(trust: readonly TrustStatus[]): readonly TrustStatus[] {
  return [...trust].sort(
    (a, b) => a.expires.getTime() - b.expires.getTime() || (a.gun < b.gun ? -1 : a.gun > b.gun ? 1 : 0),
  );
}

/** Addresses are shown without user information, should one have been written into them. */
export function toShownAddress(address: string): string {
  if (!URL.canParse(address)) return address;
  const url = new URL(address);
  url.username = '';
  url.password = '';
  return url.href;
}

/** Most repositories, in number, that one answer lists. */
export const MAX_LISTED = 500;

export function toStatusJson(status: Status, now: Date): object {
  const { version, revision, startedAt, policy, canary, registries, trust } = status;
  return {
    version,
    revision,
    startedAt,
    now,
    enforcing: toEnforcing(policy),
    policy: {
      hash: policy.hash,
      loadedAt: policy.loadedAt,
      reloadError: policy.reloadError,
      unmatched: policy.unmatched,
      rules: policy.rules.map(toRuleJson),
    },
    canary,
    registries: registries.map(toRegistryJson),
    repositories: trust.length,
    trust: bySoonestExpiry(trust).slice(0, MAX_LISTED),
  };
}

/** Each decision with the fields of its log line, under the same names. */
export function toDecisionsJson(decisions: readonly DecisionRecord[]): object {
  return { decisions: decisions.map((record) => ({ time: record.at, ...toLogFields(record) })) };
}

function toRuleJson({ name, match, mode, signers, tagList }: Rule): object {
  return { name, match, mode, signers, tagList };
}

function toRegistryJson({ name, upstream, aliases, trustServer }: RegistryStatus): object {
  return {
    name,
    upstream: toShownAddress(upstream),
    aliases,
    trustServer: trustServer === undefined ? undefined : toShownAddress(trustServer),
  };
}
