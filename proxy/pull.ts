/**
 * The pipeline (proxy/README.md, "Where a request goes"): one request in, one answer out. HEAD walks the same steps as GET.
 *
 * Every effect is a parameter, and nothing here knows how an answer is written to a socket.
 */

import { accepts } from './content/media-type.ts';
import type { ImageReference } from './names/reference.ts';
import { isCanary } from './policy/canary.ts';
import { type DecideInput, decide } from './policy/decide.ts';
import { needsTrust, selectRule } from './policy/rule.ts';
import { signedNear } from './policy/suggest.ts';
import { type Decision, NO_RULE, type TrustOutcome } from './policy/types.ts';
import { type Exchange, elapsed, record, refuse, type Subject } from './pull/exchange.ts';
import { inForm } from './pull/form.ts';
import { toForward } from './pull/forward.ts';
import { holdImageConfig, recallImageConfig } from './pull/image-config.ts';
import { passManifest, toManifestResponse } from './pull/manifest-answer.ts';
import { toRefusal } from './pull/sentences.ts';
import { referenceOf, toImage } from './pull/subject.ts';
import { listTags } from './pull/tag-list.ts';
import { answerTrust } from './pull/trust-files.ts';
import type { Answer, FinalAnswer, PullDeps, PullRequest } from './pull/types.ts';
import { answerPing } from './registry/ping.ts';
import type { SignedResult } from './registry/signed-manifests.ts';
import type { HttpClient } from './upstream/types.ts';
import { parseRoute } from './wire/route.ts';
import type { Response, Route, RouteResult, SignedManifest } from './wire/types.ts';
import { SENTENCES, sayDenied } from './words.ts';

export type Pull = {
  /** Never rejects: what should not happen is answered 500, with nothing of it in the answer. */
  handle(request: PullRequest): Promise<FinalAnswer>;
};

type JudgedRoute = Extract<Route, { kind: 'manifest' | 'blob' | 'referrers' }>;

export function createPull(deps: PullDeps): Pull {
  return {
    async handle(request) {
      const exchange: Exchange = { deps, config: deps.config(), request, started: deps.monotonic() };
      let routed: RouteResult | undefined;
      try {
        routed = parseRoute(request, exchange.config.table);
        return inForm(request, routed, await answer(exchange, routed));
      } catch (error) {
        deps.onInternalError(error, request.requestId);
        const message = SENTENCES.failedHere(request.requestId);
        return inForm(request, routed, respond(refuse(exchange, { reason: 'internal', message })));
      }
    },
  };
}

/** Where each kind of route goes. */
async function answer(exchange: Exchange, routed: RouteResult): Promise<Answer> {
  const { request } = exchange;
  if (request.isOverLimit === true)
    return respond(refuse(exchange, { reason: 'deadline_exceeded', message: SENTENCES.tooManyConnections }));
  if (routed.kind === 'refused') return refuseRoute(exchange, routed);
  const { route } = routed;
  if (route.kind === 'base') {
    const base = await answerPing(clientFor(exchange, route.registry), request);
    return respond(base.kind === 'respond' ? base.response : refuse(exchange, base.refusal));
  }
  if (route.kind === 'trust') return answerTrust(exchange, clientFor(exchange, route.registry), route);
  const client = clientFor(exchange, route.registry);
  if (client === undefined) throw new Error(`registry ${route.registry} is in the table but has no client`);
  if (route.kind === 'tags') return listTags(exchange, client, route);
  return judge(exchange, client, route);
}

/** Steps 2 to 9 for a manifest, a blob or a digest's referrers. */
async function judge(exchange: Exchange, client: HttpClient, route: JudgedRoute): Promise<Answer> {
  const { deps, config } = exchange;
  const { registry, gun } = route;
  const reference = toImageReference(route);
  const rule = selectRule(config.policy, gun);
  const { unmatched, canary } = config.policy;
  // No trust data counts for the canary, so its refusal waits for no trust server.
  const isAsked = needsTrust(rule, reference) && !isCanary(canary, registry, reference);
  const outcome = isAsked ? await askTrust(exchange, route) : undefined;
  const now = deps.now();
  const asked = { rule, unmatched, canary, registry, reference, outcome, now };
  const decision = decideSafely(exchange, asked);
  switch (decision.kind) {
    case 'deny': {
      const others = othersToName(exchange, client, route, { decision, outcome, now });
      return deny(exchange, route, decision, outcome, others);
    }
    case 'pass': {
      const passing = { ...decision, reason: decision.why, outcome };
      if (route.kind === 'manifest') return passManifest(exchange, client, route, passing);
      return recallImageConfig(exchange, client, route) ?? toForward(exchange, client, route, passing);
    }
    case 'pin':
      return serveSigned(exchange, client, route, decision, outcome);
  }
}

/** Without an outcome `enforce` refuses and `audit` lets through: a fault of ours must not turn audit into a block. */
async function askTrust(
  { deps, request }: Exchange,
  { registry, gun }: JudgedRoute,
): Promise<TrustOutcome | undefined> {
  try {
    return await deps.trustFor(registry, gun, request.client);
  } catch (error) {
    deps.onInternalError(error, request.requestId);
    return undefined;
  }
}

/** Trust data that cannot even be looked at decides as if there were none. */
function decideSafely({ deps, request }: Exchange, input: DecideInput): Decision {
  try {
    return decide(input);
  } catch (error) {
    deps.onInternalError(error, request.requestId);
    return decide({ ...input, outcome: undefined });
  }
}

type Denied = Extract<Decision, { kind: 'deny' }>;
type Pinned = Extract<Decision, { kind: 'pin' }>;

function deny(
  exchange: Exchange,
  route: JudgedRoute,
  decision: Denied,
  outcome: TrustOutcome | undefined,
  others: readonly string[],
): Answer {
  const { rule, mode, reason } = decision;
  record(exchange, toSubject(route), { rule, mode, reason, outcome, durationMs: elapsed(exchange) });
  const message = sayDenied(decision, { image: toImage(route), gun: route.gun }, others);
  return respond(refuse(exchange, { reason, message }, { rule, gun: route.gun }));
}

type Refused = {
  readonly decision: Denied;
  readonly outcome: TrustOutcome | undefined;
  readonly now: Date;
};

/** Signed tags in place of one that is not: for those who may read the repository (registry-clients.md §4.3). */
function othersToName(
  { deps, request }: Exchange,
  client: HttpClient,
  route: JudgedRoute,
  { decision, outcome, now }: Refused,
): readonly string[] {
  const reference = referenceOf(route);
  if (decision.reason !== 'unsigned_tag' || outcome?.kind !== 'verified' || reference?.kind !== 'tag')
    return [];
  const isReader =
    client.auth !== 'passthrough' || deps.isGranted({ ...route, authorization: request.authorization });
  if (!isReader) return [];
  try {
    return signedNear(outcome.trust, reference.tag, now);
  } catch (error) {
    deps.onInternalError(error, request.requestId);
    return [];
  }
}

/** Steps 7 to 9 for a signed tag: by digest, compared with what was signed before the first byte leaves. */
async function serveSigned(
  exchange: Exchange,
  client: HttpClient,
  route: JudgedRoute,
  decision: Pinned,
  outcome: TrustOutcome | undefined,
): Promise<Answer> {
  const { request } = exchange;
  const { rule, target } = decision;
  const durationMs = elapsed(exchange);
  const result = await fetchWhole(exchange, client, route, target);
  if (result.kind === 'relayed') return respond(result.response);
  const verdict = { ...decision, outcome, target, durationMs };
  if (result.kind === 'failed') {
    const { reason } = result;
    record(exchange, toSubject(route), { ...verdict, reason });
    return respond(refuse(exchange, toRefusal(toImage(route), result), { rule, gun: route.gun }));
  }
  const { manifest } = result;
  const isTaken = accepts(request.accept, manifest.mediaType);
  const said = isTaken
    ? ({ reason: 'signed', compared: true } as const)
    : ({ reason: 'signed_digest_missing' } as const);
  record(exchange, toSubject(route), { ...verdict, ...said });
  if (!isTaken) return respond(notAcceptable(exchange, route, manifest, rule));
  return respond(toManifestResponse(manifest, request.ifNoneMatch));
}

/** The signed manifest; where the client needs it so, only together with what it names. */
async function fetchWhole(
  exchange: Exchange,
  client: HttpClient,
  route: JudgedRoute,
  target: Pinned['target'],
): Promise<SignedResult> {
  const { deps, request } = exchange;
  const fetched = await deps.manifests.fetch(client, route.repository, target, request);
  if (fetched.kind !== 'manifest') return fetched;
  return (await holdImageConfig(exchange, client, route, fetched.manifest)) ?? fetched;
}

/** Converting a manifest would change its digest, so a client that cannot take it gets none (registry-clients.md §5). */
function notAcceptable(
  exchange: Exchange,
  route: JudgedRoute,
  { mediaType }: SignedManifest,
  rule: string,
): Response {
  const message = SENTENCES.notAccepted(toImage(route), mediaType);
  return refuse(exchange, { reason: 'signed_digest_missing', message }, { rule, gun: route.gun });
}

function refuseRoute(
  exchange: Exchange,
  { refusal, unknown }: Extract<RouteResult, { kind: 'refused' }>,
): Answer {
  if (unknown?.reference !== undefined) {
    const subject = { ...unknown, reference: unknown.reference };
    const { reason } = refusal;
    record(exchange, subject, { rule: NO_RULE, mode: 'deny', reason, durationMs: elapsed(exchange) });
  }
  return respond(refuse(exchange, refusal));
}

function clientFor({ config }: Exchange, registry: string | undefined): HttpClient | undefined {
  return registry === undefined ? undefined : config.registries.get(registry);
}

function toImageReference(route: JudgedRoute): ImageReference {
  const { repository } = route;
  if (route.kind === 'manifest') return { ...route.reference, repository };
  return { kind: 'digest', repository, digest: route.digest };
}

function toSubject(route: JudgedRoute): Subject {
  const { registry, repository } = route;
  const reference = referenceOf(route);
  if (reference === undefined) throw new Error('a judged route has a reference');
  return { registry, repository, reference };
}

function respond(response: Response): Answer {
  return { kind: 'respond', response };
}
