/** `tags/list`: what a pull would refuse is not in it (docs/decisions/tag-lists-are-the-registrys-filtered.md). */
import { decide } from '../policy/decide.ts';
import { selectRule } from '../policy/rule.ts';
import type { Rule, TrustOutcome } from '../policy/types.ts';
import type { AllowReason } from '../reason.ts';
import { fetchTags, type TagListRoute, type TagsResult, toTagList } from '../registry/tags.ts';
import type { VerifiedTrust } from '../trust-client/types.ts';
import { createFlights, type Flights } from '../upstream/flights.ts';
import type { HttpClient } from '../upstream/types.ts';
import type { Refusal } from '../wire/types.ts';
import { CAUSES, type Denied, sayDenied, sayFailed } from '../words.ts';
import { type Exchange, elapsed, record, refuse, toRuled } from './exchange.ts';
import { toForward } from './forward.ts';
import { ANY_TAG } from './subject.ts';
import type { Answer, PullConfig } from './types.ts';

/** For one list in all, in milliseconds. */
const LIST_DEADLINE_MS = 25_000;

export async function listTags(exchange: Exchange, client: HttpClient, route: TagListRoute): Promise<Answer> {
  const { deps, config } = exchange;
  const { registry, gun } = route;
  const rule = selectRule(config.policy, gun);
  const named = toRuled(rule, config.policy.unmatched);
  const deny = (denied: Omit<Denied, 'rule'>): Answer => {
    const message = sayDenied({ ...denied, rule: named.rule }, { image: gun, gun });
    return refuseList(exchange, route, rule, { reason: denied.reason, message });
  };
  if (named.mode === 'deny') return deny({ reason: rule === undefined ? 'no_rule' : 'denied_by_rule' });
  if (rule === undefined || rule.mode !== 'enforce' || rule.tagList === 'all') {
    return toForward(exchange, client, route, { ...named, reason: whyWhole(rule) });
  }
  const outcome = await deps.trustFor(registry, gun, exchange.request.client);
  if (outcome.kind === 'failed') return deny({ reason: outcome.error.code, role: outcome.error.role });
  const { expires, firstToExpire } = outcome.trust;
  if (!(expires.getTime() > deps.now().getTime()))
    return deny({ reason: 'metadata_expired', role: firstToExpire });
  return listSigned(exchange, client, route, rule, outcome);
}

async function listSigned(
  exchange: Exchange,
  client: HttpClient,
  route: TagListRoute,
  rule: Rule,
  outcome: Extract<TrustOutcome, { kind: 'verified' }>,
): Promise<Answer> {
  const { config, request } = exchange;
  const { gun, n, last } = route;
  // One list at a time for all who are sent the same: with our own account all, else those with the same credentials.
  const who = client.auth === 'passthrough' ? request.authorization : undefined;
  const key = JSON.stringify([client.upstream, gun, who, n, last]);
  const isShown = toIsShown(exchange, route, rule, outcome);
  const wait = { signal: request.signal, ms: LIST_DEADLINE_MS };
  const listed = await flightsOf(outcome.trust, config).join(key, wait, (signal) =>
    fetchTags(client, route, isShown, {
      authorization: request.authorization,
      client: request.client,
      signal,
    }),
  );
  switch (listed.kind) {
    case 'relayed':
      return { kind: 'respond', response: listed.response };
    case 'failed': {
      const { reason, what, retryAfter } = listed;
      const message = sayFailed(`the tag list of ${gun}`, reason, what);
      return refuseList(exchange, route, rule, { reason, message, retryAfter });
    }
    case 'tags':
      return { kind: 'respond', response: toTagList(listed, route) };
  }
}

/** The decision itself says which tags are there, so the list and a pull cannot disagree. */
function toIsShown(
  { deps, config }: Exchange,
  { registry, repository }: TagListRoute,
  rule: Rule,
  outcome: TrustOutcome,
): (tag: string) => boolean {
  const now = deps.now();
  const { unmatched, canary } = config.policy;
  const asked = { rule, unmatched, canary, registry, outcome, now };
  return (tag) => decide({ ...asked, reference: { kind: 'tag', repository, tag } }).kind === 'pin';
}

const LATE = {
  kind: 'failed',
  reason: 'registry_unreachable',
  what: CAUSES.noAnswerInTime,
} as const satisfies TagsResult;

/** Lists under way; those of other trust data or another configuration are other lists. */
const underWay = new WeakMap<VerifiedTrust, WeakMap<PullConfig, Flights<TagsResult>>>();

function flightsOf(trust: VerifiedTrust, config: PullConfig): Flights<TagsResult> {
  const ofTrust = underWay.get(trust) ?? new WeakMap<PullConfig, Flights<TagsResult>>();
  underWay.set(trust, ofTrust);
  const flights = ofTrust.get(config) ?? createFlights<TagsResult>(LATE);
  ofTrust.set(config, flights);
  return flights;
}

function whyWhole(rule: Rule | undefined): Exclude<AllowReason, 'signed'> {
  if (rule === undefined) return 'unmatched';
  return rule.mode === 'audit' ? 'audit' : 'mode_off';
}

function refuseList(
  exchange: Exchange,
  route: TagListRoute,
  rule: Rule | undefined,
  refusal: Refusal,
): Answer {
  const named = toRuled(rule, exchange.config.policy.unmatched);
  record(
    exchange,
    { ...route, reference: ANY_TAG },
    { ...named, reason: refusal.reason, durationMs: elapsed(exchange) },
  );
  return { kind: 'respond', response: refuse(exchange, refusal, { rule: named.rule, gun: route.gun }) };
}
